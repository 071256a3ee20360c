"""The part of a city's profile that the page on alcohol outlets needs: what police codes mean."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.profile_base import FrozenModel, Text

Code = Annotated[str, Field(pattern=r"^[0-9A-Za-z]+\*?$")]
"""A police code in full, or its beginning and a star: ``20*`` is 20, 20I, 20X; ``103`` is 103 only."""

BookingKind = Literal["police station", "court", "jail"]


class BookingPlace(FrozenModel):
    """A place at which police write down incidents that happened elsewhere."""

    name: Text
    kind: BookingKind
    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-90, le=90)]
    source: Text


class TypeGroup(FrozenModel):
    """Types of incidents that are shown under one name."""

    words: Text
    codes: Annotated[tuple[Code, ...], Field(min_length=1)]


class OutletRules(FrozenModel):
    """How police incidents are read when outlets are compared; see ``cities/new-orleans.toml``.

    Attributes
    ----------
    police_agencies
        Agencies of ``calls`` whose rows are incidents.
    void, duplicate, unfounded, written_report
        Dispositions of items that were void, repeated another, were without ground, or led to a
        written report.
    test
        Dispositions or types of test items.
    withheld_types
        Types whose place the police withhold: no outlet can be ranked by them.
    control_types
        Types that outlets should have no part in.
    alcohol_types
        Types of the main outcome, in groups with a name.
    booking_places
        Where incidents are booked that happened elsewhere.
    sources
        Where each of these comes from.
    """

    police_agencies: Annotated[tuple[Text, ...], Field(min_length=1)]
    void: tuple[Code, ...]
    duplicate: tuple[Code, ...]
    test: tuple[Code, ...]
    unfounded: tuple[Code, ...]
    written_report: Annotated[tuple[Code, ...], Field(min_length=1)]
    withheld_types: tuple[Code, ...]
    control_types: tuple[Code, ...]
    alcohol_types: Annotated[tuple[TypeGroup, ...], Field(min_length=1)]
    booking_places: tuple[BookingPlace, ...]
    sources: dict[str, Text]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        """Gather contradictions: a code of two meanings, a place told twice, a figure without source."""
        said = []
        dispositions = (self.void, self.duplicate, self.test, self.unfounded, self.written_report)
        said += [f"{code} is given two dispositions" for code in _repeated(chain(*dispositions))]
        outcome = chain.from_iterable(group.codes for group in self.alcohol_types)
        types = chain(self.withheld_types, self.control_types, outcome)
        said += [
            f"{code} is in two of withheld_types, control_types, alcohol_types" for code in _repeated(types)
        ]
        said += [
            f"the booking place {name} is there twice"
            for name in _repeated(place.name for place in self.booking_places)
        ]
        wanted = ("dispositions", "withheld_types", "control_types", "alcohol_types")
        missing = [figure for figure in wanted if figure not in self.sources]
        if missing:
            said.append(f"sources must say where these come from: {', '.join(missing)}")
        if said:
            raise ValueError("; ".join(said))
        return self


def _repeated(values: Iterable[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)
