"""Which of OpenStreetMap's elements are wanted: one list for Overpass and for files."""

import re
from collections.abc import Mapping
from types import MappingProxyType

Element = tuple[str, int]
"""Kind (node, way, relation) and number of an element of OpenStreetMap."""

NOT_DRIVEN: Mapping[str, str] = MappingProxyType(
    {
        "area": "yes",
        "access": "private",
        "highway": (
            "abandoned|bridleway|bus_guideway|construction|corridor|cycleway|elevator|escalator|footway|no|"
            "path|pedestrian|planned|platform|proposed|raceway|razed|rest_area|service|services|steps|track"
        ),
        "motor_vehicle": "no",
        "motorcar": "no",
        "service": "alley|driveway|emergency_access|parking|parking_aisle|private",
    }
)
"""Ways that are no streets to drive on, as patterns of tags: OSMnx's network "drive"."""

DRIVE_FILTER = '["highway"]' + "".join(f'["{tag}"!~"{pattern}"]' for tag, pattern in NOT_DRIVEN.items())
"""The same for Overpass."""

WAY_TAGS = ("bridge", "highway", "junction", "maxspeed", "name", "oneway", "ref", "tunnel")
"""Tags of streets that are read."""

PLACE_TAGS: Mapping[str, bool | str | list[str]] = MappingProxyType(
    {
        "amenity": ["bar", "fire_station", "hospital", "library", "nightclub", "pub"],
        "emergency": ["ambulance_station"],
        "healthcare": ["hospital"],
        "leisure": ["swimming_pool", "water_park"],
        "natural": ["water"],
        "waterway": ["riverbank"],
    }
)
"""Tags of places and water that are read."""


def is_street(tags: Mapping[str, str]) -> bool:
    """Say whether a way is a street to drive on, as `DRIVE_FILTER` does."""
    return "highway" in tags and not any(
        re.search(pattern, tags[tag]) for tag, pattern in NOT_DRIVEN.items() if tag in tags
    )


def say_stubs(count: int) -> list[str]:
    """Say how many ways were no streets because they have one point only; nothing where there are none."""
    return [f"{count} ways have one point only and are no streets."] if count else []


def is_place(tags: Mapping[str, str]) -> bool:
    """Say whether an element is a place or water that is read, as `PLACE_TAGS` does."""
    return any(tags.get(tag) in values for tag, values in PLACE_TAGS.items() if isinstance(values, list))
