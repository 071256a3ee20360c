"""What tests of the portal clients share: made rows of calls, a server of them, clients that do not wait."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from data.http import Manners
from data.portal import SodaClient
from tests.data.servers.base import serving
from tests.data.servers.soda import SodaDataset, SodaServer

DATASET = "nci8-thrr"
HASTY = Manners(
    attempts=4, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0, min_interval_s=0, max_bytes=200_000
)
COLUMNS: Mapping[str, str] = {
    "nopd_item": "text",
    "type_": "text",
    "timecreate": "calendar_date",
    "location": "point",
}


def made_call(number: int, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a row of Calls for Service."""
    return {
        "nopd_item": f"A{number:05d}22",
        "type_": "21",
        "timecreate": f"2022-01-{1 + number % 28:02d}T01:02:03.000",
        "location": {"type": "Point", "coordinates": [-90.07 - number / 10_000, 29.95]},
        **other,
    }


def made_dataset(n_rows: int) -> SodaDataset:
    """Make a dataset of calls."""
    return SodaDataset("Calls for Service 2022", COLUMNS, map(made_call, range(n_rows)))


@contextmanager
def portal(
    n_rows: int = 10, *, page_rows: int = 3, app_token: str = "", manners: Manners = HASTY
) -> Iterator[tuple[SodaServer, SodaClient]]:
    """Serve made calls; gives the server and a client of it."""
    server = SodaServer({DATASET: made_dataset(n_rows)})
    with (
        serving(server) as address,
        SodaClient(address, app_token, page_rows=page_rows, manners=manners) as client,
    ):
        yield server, client
