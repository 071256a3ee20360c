"""What is computed once from a city and kept in its cache, by the city's version.

The cache may be deleted at any time: it is built again when it is needed.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from data.city import City
from errors import InvalidInputError
from geo.isochrones import served_ground
from geo.travel_time import travel_times

Float32Array = npt.NDArray[np.float32]

ROWS_KEPT = 512
"""Rows of travel times kept in memory: 35 MB for a network of 17,000 nodes."""


class TravelTimes:
    """Seconds from posts to every node at the network's own speeds, each computed once.

    The city's own posts are kept on disk; a moved post or a closed road costs one search more.
    """

    def __init__(self, city: City) -> None:
        self._city = city
        self._network = city.network
        self._lock = Lock()
        self._rows: OrderedDict[tuple[int, tuple[str, ...]], Float32Array] = OrderedDict()

    def closed_edges(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """(n_edges,) True for the edges of the named closures of the city's profile.

        Raises
        ------
        InvalidInputError
            If the profile has no closure of a name.
        """
        known = {closure.name: closure for closure in self._city.profile.closures}
        unknown = sorted(set(names) - known.keys())
        if unknown:
            raise InvalidInputError(f"This city's profile has no closure named {', '.join(unknown)}")
        closed = np.zeros(self._network.n_edges, dtype=bool)
        for name in names:
            closed |= known[name].select(self._city.areas("streets"))
        return closed

    def rows(self, nodes: Iterable[int], closures: tuple[str, ...] = ()) -> Float32Array:
        """(n, n_nodes) seconds from each node to every node, with the named closures in force."""
        keys = [(int(node), tuple(sorted(closures))) for node in nodes]
        with self._lock:
            missing = list(dict.fromkeys(key for key in keys if key not in self._rows))
            if missing:
                closed = self.closed_edges(closures) if closures else None
                made = travel_times(self._network, [node for node, _ in missing], closed=closed)
                self._rows.update(zip(missing, made, strict=True))
            for key in keys:
                self._rows.move_to_end(key)
            found = [self._rows[key] for key in keys]
            while len(self._rows) > max(ROWS_KEPT, len(set(keys))):
                self._rows.popitem(last=False)
        return np.stack(found) if found else np.empty((0, self._network.n_nodes), dtype=np.float32)

    def from_candidates(self, posts: pd.DataFrame) -> tuple[Float32Array, npt.NDArray[np.float64]]:
        """Seconds from all of the city's posts, read from disk after the first time.

        Returns
        -------
        rows_s, access_m
            (n_posts, n_nodes) seconds, mapped from the file, and (n_posts,) metres from post to node.
        """
        nodes, access_m = self._network.snap(posts["lon"], posts["lat"])
        path = self._city.cache_dir / f"post-times-{self._city.version}.npy"
        if not path.exists():
            _write_array(path, travel_times(self._network, nodes))
        rows: Float32Array = np.load(path, mmap_mode="r")
        with self._lock:
            for node, row in zip(nodes, rows, strict=True):
                self._rows.setdefault((int(node), ()), row)
        return rows, access_m


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
