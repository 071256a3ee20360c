"""Turn the City's list of alcohol licences into the table of outlets."""

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

POINT = r"\((-?\d+(?:\.\d+)?),\s*(-?\d+(?:\.\d+)?)\)\s*$"
"""Latitude and longitude at the end of the address, as the City's portal wrote them until 2017."""

BARS = frozenset({"1126"})
RESTAURANTS = frozenset({"1105", "2062", "2064"})
HOTELS = frozenset({"4701"})
RETAIL = "11"
"""Occupation codes that begin so are retail trade; bars and restaurants with table service are among them."""


def category_of(code: str) -> str:
    """Give the category of an occupation code of the City, four digits.

    Drinking places (1126) are bars; restaurants with table service (1105), without (2062) and snack bars
    (2064) are restaurants; hotels (4701) are hotels; other retail trade (11..) is a store; the rest, such as
    caterers, halls, theaters and wholesalers, is other.
    """
    if code in BARS:
        return "bar"
    if code in RESTAURANTS:
        return "restaurant"
    if code in HOTELS:
        return "hotel"
    return "store" if code.startswith(RETAIL) else "other"


def outlets_table(licences: pd.DataFrame) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """Turn licences into outlets, one row a licence.

    Parameters
    ----------
    licences
        ``Trade Name``, ``Address``, ``Occupation Code`` ("1126 - DRINKING PLACES ..."), ``Location 1`` (text
        that ends with "(latitude, longitude)").

    Returns
    -------
    outlets, counts
        Rows of the table ``outlets``, without a place where the text has none: the reader then says so. And
        how many rows came, have no point, stand at an address that another row has, or are bars.
    """
    point = licences["Location 1"].str.extract(POINT).astype("float64")
    code = licences["Occupation Code"].str.extract(r"^\s*(\d{4})\b")[0]
    address = licences["Address"].str.strip()
    width = len(str(len(licences)))
    outlets = pd.DataFrame(
        {
            "outlet_id": [f"NOLA-2015-{row:0{width}d}" for row in range(1, len(licences) + 1)],
            "name": licences["Trade Name"].str.strip(),
            "category": code.map(category_of, na_action="ignore"),
            "licence_code": code,
            "address": address,
            "lon": point[1],
            "lat": point[0],
        }
    )
    counts = {
        "read": len(licences),
        "without a point": int(point.isna().any(axis=1).sum()),
        "sharing an address": int(address.str.casefold().duplicated(keep=False).sum()),
        "bars": int((outlets["category"] == "bar").sum()),
    }
    return outlets, MappingProxyType(counts)
