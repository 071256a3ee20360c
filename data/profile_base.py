"""What the parts of a city's profile share."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def check_zone(zone: str) -> str:
    """Check that a time zone is known."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        msg = f"{zone!r} is not a time zone; write one such as America/Chicago"
        raise ValueError(msg) from error
    return zone


Text = Annotated[str, Field(min_length=1)]
Zone = Annotated[str, AfterValidator(check_zone)]


class FrozenModel(BaseModel):
    """A part of the profile: it cannot change, and a key it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
