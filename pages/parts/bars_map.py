"""Outlets on the map, coloured by verdict; booking stacks in grey; clusters as outlines."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pages.parts.bars_scene import VERDICTS, Scene, pick, picked_door
from pages.parts.city_map import LegendEntry, MapArea, MapDots, city_map
from pages.parts.ground import ground_url
from pages.parts.palette import GREY

MAP_HEIGHT, BANNER_PX = 560, 48
"""Pixels: with the navigation above they fill a window of 1280 by 720."""
STACK = "stack"
_STACK_RADIUS_PX, _SMALL_PX = 5.0, 2.6
_RADIUS_PX = {"named": (6.0, 13.0), "screened": (4.5, 10.0), "neither": (2.5, 7.0), "not judged": (2.5, 2.5)}


def bars_map(scene: Scene, *, scope: str, areas: Sequence[MapArea] = ()) -> None:
    """Show the map; a click on a dot picks its door. Where areas are shown, dots are small."""

    def picked(dot: str) -> None:
        if not dot.startswith(STACK):
            pick(scope, int(dot))

    city_map(
        key=f"{scope}.map",
        ground_url=ground_url(scene.city),
        height=MAP_HEIGHT - BANNER_PX * (not scene.naming.allowed),
        areas=areas,
        dots=door_dots(scene, picked_door(scope, len(scene.inputs.doors)), small=bool(areas)),
        legend=legend(scene),
        note="Demo city: synthetic data" if scene.city.synthetic else "",
        on_pick=picked,
        label="Map of alcohol outlets by verdict",
    )


def door_dots(scene: Scene, chosen: int | None, *, small: bool = False) -> MapDots:
    """Stacks lowest, then doors from the quietest verdict up."""
    doors = scene.inputs.doors
    stacks = scene.inputs.incidents.stacks
    stacks = stacks[stacks["set_aside"]]
    order = [
        int(door)
        for verdict in reversed(VERDICTS)
        for door in np.flatnonzero(scene.shown & (scene.verdict == verdict))
    ]
    if chosen is not None and not scene.shown[chosen]:
        order.append(chosen)
    radius = np.minimum(radii(scene), _SMALL_PX) if small else radii(scene)
    return MapDots(
        ids=[*(f"{STACK}{row}" for row in range(len(stacks))), *map(str, order)],
        lon=np.concatenate([stacks["lon"], doors.lon[order]]),
        lat=np.concatenate([stacks["lat"], doors.lat[order]]),
        colours=[GREY] * len(stacks) + [scene.colour(scene.verdict[door]) for door in order],
        radius_px=np.concatenate([np.full(len(stacks), _STACK_RADIUS_PX), radius[order]]),
        labels=[
            *(
                f"{name[:1].upper()}{name[1:]}\n{records:,} records set aside: booked here, happened "
                "elsewhere"
                for name, records in zip(stacks["name"], stacks["records"], strict=True)
            ),
            *(f"{scene.label(door)}\n{scene.line(door)}" for door in order),
        ],
        chosen="" if chosen is None else str(chosen),
    )


def radii(scene: Scene) -> npt.NDArray[np.float64]:
    """(n_doors,) pixels: within each verdict the area grows with the incidents."""
    observed = np.nan_to_num(scene.found.observed)
    share = np.sqrt(observed / max(float(observed.max(initial=0.0)), 1.0))
    ends = np.array([_RADIUS_PX[verdict] for verdict in scene.verdict])
    return np.asarray(ends[:, 0] + (ends[:, 1] - ends[:, 0]) * share, dtype=np.float64)


def legend(scene: Scene) -> list[LegendEntry]:
    """One line a verdict with its count, and the stacks."""
    entries = []
    for verdict in VERDICTS:
        count = int((scene.shown & (scene.verdict == verdict)).sum())
        if verdict == "named" and not scene.naming.allowed:
            continue
        entries.append(LegendEntry(f"{count:,} {verdict}", scene.colour(verdict), "dot"))
    aside = int(scene.inputs.incidents.stacks["set_aside"].sum())
    if aside:
        entries.append(LegendEntry(f"{aside} booking places", GREY, "dot"))
    return entries
