"""The demo's catch basins: where they stand, how fast they fill, which are broken or on a blocked line."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from data.demo.drainage_ground import BoolArray, Surface, rough_field
from data.demo.facts_io import FloatArray, evenly, read_csv, read_toml
from data.demo.ground import Ground
from data.demo.network import Network
from data.demo.outlets import beside_street
from data.demo.places import Neighborhoods
from geo.regions import assign_regions

IntArray = npt.NDArray[np.int64]
ObjectArray = npt.NDArray[np.object_]

NOT_DRAINED = ("motorway", "motorway_link")
AVENUES = ("trunk", "primary", "secondary")
LAND_USES = ("residential", "commercial", "industrial", "open")
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class Basins:
    """Where basins stand and what they are; one entry each.

    Attributes
    ----------
    xy
        (n, 2) metres.
    street
        (n,) names of their streets, None where the street has none.
    hood
        (n,) number of the neighborhood.
    kind, land_use
        (n,) words of the table.
    trees
        (n,) share of the street there under trees, 0 to 1.
    hollow_m
        (n,) how much lower the ground lies than about it.
    """

    xy: FloatArray
    street: ObjectArray
    hood: IntArray
    kind: ObjectArray
    land_use: ObjectArray
    trees: FloatArray
    hollow_m: FloatArray

    def __len__(self) -> int:
        """Give the number of basins."""
        return len(self.xy)


@dataclass(frozen=True, eq=False)
class Planted:
    """What is true of basins whatever happens later; (n,) each.

    Attributes
    ----------
    rate
        Load a year; at a load of 1 half of the opening is blocked.
    line_blocked, broken, buried
        States that cleaning does not mend.
    cluster
        Whether it stands where nearly all are clogged.
    """

    rate: FloatArray
    line_blocked: BoolArray
    broken: BoolArray
    buried: BoolArray
    cluster: BoolArray


class Streets:
    """The streets that are drained: all but freeways.

    Parameters
    ----------
    laid
        The network.

    Attributes
    ----------
    lines, length_m
        (n,) lines in metres, and how long they are.
    start, end
        (n, 2) their corners.
    name, road_class
        (n,) as in the table of streets.
    """

    def __init__(self, laid: Network) -> None:
        edge = np.flatnonzero(~np.isin(laid.road_class.astype(str), NOT_DRAINED))
        self.lines: ObjectArray = laid.lines[edge]
        self.length_m: FloatArray = shapely.length(self.lines)
        self.start, self.end = laid.xy[laid.u[edge]], laid.xy[laid.v[edge]]
        self.name, self.road_class = laid.name[edge], laid.road_class[edge]
        self._bent = shapely.get_num_coordinates(self.lines) > 2

    @property
    def avenue(self) -> BoolArray:
        """(n,) whether it is an avenue."""
        return np.isin(self.road_class.astype(str), AVENUES)

    def beside(self, of: IntArray, along_m: FloatArray, across_m: FloatArray) -> FloatArray:
        """(k, 2) points along the streets ``of``, and beside them (to the right where positive)."""
        xy = beside_street(self.start[of], self.end[of], along_m, across_m)
        bent = np.flatnonzero(self._bent[of])
        line, along = self.lines[of[bent]], along_m[bent]
        there = shapely.line_interpolate_point(line, along)
        before, after = (
            shapely.get_coordinates(shapely.line_interpolate_point(line, np.maximum(along + step, 0)))
            for step in (-1.0, 1.0)
        )
        way = after - before
        way /= np.hypot(way[:, 0], way[:, 1])[:, None]
        right = np.column_stack([way[:, 1], -way[:, 0]])
        xy[bent] = shapely.get_coordinates(there) + right * across_m[bent][:, None]
        return xy

    def with_kerbs(self) -> ObjectArray:
        """Lines along the middle and both kerbs of every street."""
        aside = float(read_toml("drainage")["basins"]["kerb_m"]["street"])
        kerbs = [shapely.offset_curve(self.lines, side * aside) for side in (-1.0, 1.0)]
        lines = np.concatenate([self.lines, *kerbs])
        return lines[~shapely.is_empty(lines)]


def place_basins(
    streets: Streets, surface: Surface, *, ground: Ground, hoods: Neighborhoods, rng: np.random.Generator
) -> Basins:
    """Place basins at both kerbs of each street.

    One stands at the street's lower corner, on both sides but for a few; the longest streets have a second
    one half way along, until there are as many as ``facts/drainage.toml`` says. None stands on a levee, and
    none outside the levees.

    Parameters
    ----------
    streets
        The streets.
    surface
        Tells which corner is lower, and where a basin lies in a hollow.
    ground
        Parks and canals.
    hoods
        Their ages decide the kind, their trees the canopy.
    rng
        Draws everything.
    """
    facts = read_toml("drainage")["basins"]
    length = streets.length_m
    lower = _starts_lower(streets, surface)
    aside = np.where(streets.avenue, facts["kerb_m"]["avenue"], facts["kerb_m"]["street"])
    corner = np.minimum(facts["from_corner_m"], length / 3)
    corner = np.where(lower, corner, length - corner)
    of = np.tile(np.arange(len(length)), 4)
    along = np.concatenate([corner, corner, length / 2, length / 2])
    side = np.concatenate([aside, -aside, aside, -aside])
    xy = streets.beside(of, along, side)
    fits = ~np.isnan(surface.at(surface.dem_m, xy)) & ~surface.at(surface.on_crest, xy)
    at_corner = np.arange(len(of)) < 2 * len(length)
    fits &= ~(at_corner & (rng.random(len(of)) < facts["missing"]))
    first, second = np.flatnonzero(fits & at_corner), np.flatnonzero(fits & ~at_corner)
    longest = second[np.argsort(-length[of[second]], kind="stable")]
    chosen = np.concatenate([first, longest])[: facts["count"]]
    chosen = chosen[np.lexsort((side[chosen], along[chosen], of[chosen]))]
    xy, block = np.round(xy[chosen], 2), of[chosen]

    middle = (streets.start + streets.end) / 2
    hood_of_block = assign_regions(middle[:, 0], middle[:, 1], hoods.shape)
    hood = assign_regions(xy[:, 0], xy[:, 1], hoods.shape)
    hood = np.where(hood < 0, hood_of_block[block], hood)
    use = _land_use(middle, streets.road_class, hood_of_block, ground=ground, hoods=hoods, rng=rng)
    trees = _trees(use, hood_of_block, hoods=hoods, rng=rng)
    own_trees = np.clip(trees[block] + rng.normal(0, 0.04, len(block)), 0, 1)
    return Basins(
        xy=xy,
        street=streets.name[block],
        hood=hood.astype(np.int64),
        kind=_kinds(hood, hoods, rng),
        land_use=np.array(LAND_USES, dtype=object)[use[block]],
        trees=np.round(own_trees, 2),
        hollow_m=surface.at(surface.hollow_m, xy),
    )


def plant_states(basins: Basins, surface: Surface, hoods: Neighborhoods, rng: np.random.Generator) -> Planted:
    """Decide how fast each basin fills and what is wrong with it for good, by ``[filling]`` of the facts."""
    facts = read_toml("drainage")["filling"]
    n = len(basins)
    reach_m, sd = facts["place"]
    shared = rough_field(surface.grid.shape, surface.grid.cell_m, [[reach_m, sd]], rng)
    log_rate = np.log(facts["usual_a_year"]) + facts["trees"] * basins.trees
    log_rate += facts["commercial"] * (basins.land_use == "commercial")
    log_rate += facts["industrial"] * (basins.land_use == "industrial")
    log_rate += facts["hollow_a_m"] * np.clip(basins.hollow_m, -1, 1)
    log_rate += rng.normal(0, facts["neighborhood_sd"], len(hoods.name))[basins.hood]
    log_rate += surface.at(shared, basins.xy)
    log_rate += rng.normal(0, facts["own_sd"], n)
    tree = cKDTree(basins.xy)
    cluster = np.zeros(n, dtype=bool)
    for near in _about(tree, facts["clusters"], rng):
        log_rate[near] += np.log(rng.uniform(*facts["clusters"]["times"]))
        cluster[near] = True
    blocked = np.zeros(n, dtype=bool)
    named = basins.street.astype(str)
    for near in _about(tree, facts["lines"], rng):
        blocked[near[named[near] == named[near[0]]]] = True
    for near in _about(tree, facts["mains"], rng):
        blocked[near] = True
    old = built_years(hoods)[basins.hood] < facts["broken"]["before"]
    broken = rng.random(n) < np.where(old, facts["broken"]["old"], facts["broken"]["new"])
    buried = rng.random(n) < facts["buried"]
    return Planted(np.exp(log_rate), blocked, broken, buried, cluster)


def blocked_share(load: FloatArray) -> FloatArray:
    """Share of the opening that is blocked at a load; half at 1."""
    power = np.asarray(load, dtype=float) ** float(read_toml("drainage")["filling"]["steep"])
    return np.asarray(power / (1 + power))


def last_campaign(basins: Basins, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """Years before the records begin at which each basin was last cleaned, and whether that is on record.

    Campaigns went zone by zone (squares of the city), so that neighbours have mostly waited as long.
    """
    facts = read_toml("drainage")["before"]
    square = np.floor(basins.xy / facts["zone_m"]).astype(np.int64)
    _, zone = np.unique(square, axis=0, return_inverse=True)
    zone = zone.reshape(-1)
    years = facts["years"]
    mean = years["mean"] - years["least"]
    by_zone = years["least"] + rng.gamma(years["shape"], mean / years["shape"], zone.max() + 1)
    # A campaign takes some weeks to go through a zone.
    ago = by_zone[zone] + rng.uniform(0, 0.15, len(basins))
    ago = np.where(rng.random(len(basins)) < facts["skipped"], 2 * ago, ago)
    return ago, rng.random(len(basins)) < facts["recorded"]


def _about(tree: cKDTree, spots: dict[str, Any], rng: np.random.Generator) -> list[IntArray]:
    """Basins about some of them, drawn at random; the middle one comes first."""
    middle = rng.choice(tree.n, size=spots["count"], replace=False)
    reach = evenly(spots["reach_m"], spots["count"], rng)
    found = []
    for one, near in zip(middle, tree.query_ball_point(tree.data[middle], reach), strict=True):
        around = np.sort(np.asarray(near, dtype=np.int64))
        found.append(np.concatenate([[one], around[around != one]]))
    return found


def _starts_lower(streets: Streets, surface: Surface) -> BoolArray:
    """(n,) whether a street's first corner is the lower one; a corner without ground counts as high."""
    level = []
    for corner in (streets.start, streets.end):
        row, column, held = surface.grid.cells_of(corner[:, 0], corner[:, 1])
        level.append(np.nan_to_num(np.where(held, surface.dem_m[row, column], np.nan), nan=99.0))
    return np.asarray(level[0] <= level[1])


def built_years(hoods: Neighborhoods) -> IntArray:
    """(n_hoods,) about when each neighborhood was built."""
    built = {row["name"]: int(row["built"]) for row in read_csv("drainage_hoods")}
    return np.array([built[name] for name in hoods.name])


def _kinds(hood: IntArray, hoods: Neighborhoods, rng: np.random.Generator) -> ObjectArray:
    built, dice = built_years(hoods)[hood], rng.random(len(hood))
    kind = np.empty(len(hood), dtype=object)
    begin = -1
    for until, grate, curb, _ in read_toml("drainage")["basins"]["kind"]:
        here = (built > begin) & (built <= until)
        kind[here] = np.array(["grate", "curb", "combination"], dtype=object)[
            np.searchsorted([grate, grate + curb], dice[here], side="right")
        ]
        begin = until
    return kind


def _land_use(
    middle: FloatArray,
    road_class: ObjectArray,
    hood: npt.NDArray[np.intp],
    *,
    ground: Ground,
    hoods: Neighborhoods,
    rng: np.random.Generator,
) -> IntArray:
    """(n_blocks,) index into ``LAND_USES``."""
    facts = read_toml("drainage")["basins"]
    share = np.full(len(middle), facts["commercial"]["street"])
    share[road_class == "tertiary"] = facts["commercial"]["tertiary"]
    share[np.isin(road_class.astype(str), AVENUES)] = facts["commercial"]["avenue"]
    share[np.isin(np.array(hoods.name)[hood], facts["busy"])] = facts["commercial"]["busy"]
    use = (rng.random(len(middle)) < share).astype(np.int64)
    points = shapely.points(middle)
    works = facts["industrial"]
    canals = shapely.union_all([shape for name, _, shape in ground.water if name in works["along"]])
    near = shapely.dwithin(points, canals, works["within_m"])
    use[near & (rng.random(len(middle)) < works["share"])] = LAND_USES.index("industrial")
    use[shapely.dwithin(points, ground.open_ground, facts["open_within_m"])] = LAND_USES.index("open")
    return use


def _trees(
    use: IntArray,
    hood: npt.NDArray[np.intp],
    *,
    hoods: Neighborhoods,
    rng: np.random.Generator,
) -> FloatArray:
    """(n_blocks,) canopy over each block's street."""
    facts = read_toml("drainage")["basins"]
    usual = {row["name"]: float(row["trees"]) for row in read_csv("drainage_hoods")}
    mean = np.array([usual[name] for name in hoods.name])[hood]
    mean = mean * np.array([facts["fewer_trees"][name] for name in LAND_USES])[use]
    mean = np.clip(mean, 0.02, 0.9)
    spread = facts["trees_concentration"]
    return np.asarray(rng.beta(mean * spread, (1 - mean) * spread))
