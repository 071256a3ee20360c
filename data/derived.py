"""What is computed once from a city and kept in its cache, by the city's version.

The cache may be deleted at any time: it is built again when it is needed.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from data.city import City
from errors import Faults, InvalidInputError
from geo.isochrones import served_ground
from geo.travel_time import travel_times

BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

ROWS_KEPT = 512
"""Rows of travel times kept in memory: 35 MB for a network of 17,000 nodes."""


STATES_KEPT = 16


@dataclass(frozen=True)
class StreetWater:
    """Water on the streets, worked out from a storm; equal to another of the same name.

    Attributes
    ----------
    name
        Says what the water was worked out from; another storm has another name.
    closed
        (n_edges,) True where it is too deep to drive.
    speed_factor
        (n_edges,) what it leaves of the network's own speeds; 1 where dry.
    """

    name: str
    closed: BoolArray = field(compare=False, repr=False)
    speed_factor: FloatArray = field(compare=False, repr=False)


@dataclass(frozen=True)
class Roads:
    """State of the roads, by names: small and hashable, the key under which drives are kept.

    Attributes
    ----------
    closures, floods
        Names of the city's profile, in any order.
    speeds
        Name of a set of speeds given to `TravelTimes`; empty for the network's own.
    water
        Water that a storm leaves on the streets; None without a storm.
    """

    closures: tuple[str, ...] = ()
    floods: tuple[str, ...] = ()
    speeds: str = ""
    water: StreetWater | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "closures", tuple(sorted(set(self.closures))))
        object.__setattr__(self, "floods", tuple(sorted(set(self.floods))))


USUAL_ROADS = Roads()


@dataclass(frozen=True, eq=False)
class RoadState:
    """What a state of the roads means for each edge and node; see `geo.travel_time.travel_times`.

    Attributes
    ----------
    closed
        (n_edges,) True where nothing drives.
    no_through
        (n_nodes,) True where drives may begin and end but not pass.
    speed_factor
        (n_edges,) what the network's own speeds are multiplied by.
    """

    closed: BoolArray
    no_through: BoolArray
    speed_factor: FloatArray


class TravelTimes:
    """Seconds from posts to every node at the network's own speeds, each computed once.

    The city's own posts are kept on disk; a moved post or another state of the roads costs a search more.

    Parameters
    ----------
    city
        The city.
    speeds
        Name to (n_edges,) factors on the network's own speeds.
    """

    def __init__(self, city: City, speeds: Mapping[str, FloatArray] | None = None) -> None:
        self._city = city
        self._network = city.network
        self._speeds = dict(speeds or {})
        self._lock = Lock()
        self._rows: OrderedDict[tuple[int, Roads], Float32Array] = OrderedDict()
        self._states: OrderedDict[Roads, RoadState] = OrderedDict()

    def state(self, roads: Roads) -> RoadState:
        """Work out what a state of the roads means for each edge and node.

        Raises
        ------
        InvalidInputError
            With every name that the city's profile does not have.
        """
        with self._lock:
            found = self._states.get(roads)
            if found is None:
                found = self._states[roads] = self._make_state(roads)
                while len(self._states) > STATES_KEPT:
                    self._states.popitem(last=False)
            return found

    def _make_state(self, roads: Roads) -> RoadState:
        profile, network, faults = self._city.profile, self._network, Faults()
        closures = {closure.name: closure for closure in profile.closures}
        floods = {flood.name: flood for flood in profile.floods}
        for kind, named, known in (
            ("closure", roads.closures, closures),
            ("flood", roads.floods, floods),
            ("set of speeds", (roads.speeds,) if roads.speeds else (), self._speeds),
        ):
            unknown = [name for name in named if name not in known]
            faults.check(not unknown, f"this city has no {kind} named {', '.join(unknown)}")
        faults.raise_as(InvalidInputError, "The roads cannot be shown so")
        stretches = [closures[name] for name in roads.closures] + [floods[name] for name in roads.floods]
        closed = np.zeros(network.n_edges, dtype=bool)
        no_through = np.zeros(network.n_nodes, dtype=bool)
        factor = np.ones(network.n_edges)
        for stretch in stretches:
            edges = stretch.select(self._city.areas("streets"))
            if stretch.speed_factor is None:
                closed |= edges
            else:
                factor[edges] = np.minimum(factor[edges], stretch.speed_factor)
            if not stretch.through:
                no_through[network.edge_u[edges]] = no_through[network.edge_v[edges]] = True
        if roads.water is not None:
            closed |= roads.water.closed
            factor = np.minimum(factor, roads.water.speed_factor)
        if roads.speeds:
            factor *= self._speeds[roads.speeds]
        return RoadState(closed, no_through, factor)

    def rows(self, nodes: Iterable[int], roads: Roads = USUAL_ROADS) -> Float32Array:
        """(n, n_nodes) seconds from each node to every node, under a state of the roads."""
        keys = [(int(node), roads) for node in nodes]
        state = self.state(roads)
        with self._lock:
            missing = list(dict.fromkeys(key for key in keys if key not in self._rows))
            if missing:
                self._rows.update(
                    zip(missing, self._search([node for node, _ in missing], state), strict=True)
                )
            for key in keys:
                self._rows.move_to_end(key)
            found = [self._rows[key] for key in keys]
            while len(self._rows) > max(ROWS_KEPT, len(set(keys))):
                self._rows.popitem(last=False)
        return np.stack(found) if found else np.empty((0, self._network.n_nodes), dtype=np.float32)

    def from_candidates(
        self, posts: pd.DataFrame, roads: Roads = USUAL_ROADS
    ) -> tuple[Float32Array, FloatArray]:
        """Seconds from all of the city's posts; on usual roads read from disk after the first time.

        Returns
        -------
        rows_s, access_m
            (n_posts, n_nodes) seconds, and (n_posts,) metres from post to node.
        """
        nodes, access_m = self._network.snap(posts["lon"], posts["lat"])
        if roads != USUAL_ROADS:
            return self.rows(nodes, roads), access_m
        path = self._city.cache_dir / f"post-times-{self._city.version}.npy"
        if not path.exists():
            _write_array(path, travel_times(self._network, nodes))
        rows: Float32Array = np.load(path, mmap_mode="r")
        with self._lock:
            for node, row in zip(nodes, rows, strict=True):
                self._rows.setdefault((int(node), USUAL_ROADS), row)
        return rows, access_m

    def _search(self, nodes: list[int], state: RoadState) -> Float32Array:
        return travel_times(
            self._network,
            nodes,
            closed=state.closed,
            no_through=state.no_through,
            speed_factor=state.speed_factor,
        )


def city_ground(city: City) -> BaseGeometry:
    """Return the ground that streets serve, in metres in the network's system, prepared; kept on disk."""
    path = city.cache_dir / f"served-ground-{city.version}.wkb"
    if path.exists():
        ground = shapely.from_wkb(path.read_bytes())
        shapely.prepare(ground)
        return ground
    ground = served_ground(city.network, city.land)
    _replace(path, shapely.to_wkb(ground))
    return ground


def _write_array(path: Path, array: Float32Array) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
