"""P(wet) of a storm on the real ground: makes the picture and the figures of docs/methods/basins.md.

Run ``python -m benchmarks.wet_chance CITY FLOOD_CALLS.csv --out docs/images/p_wet.png`` with the folder of
the city imported from the extract and the flood calls of one storm. Nothing here is chosen by those calls:
storm, error and rules are the profile's, and what is compared is fixed in this file.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy import ndimage
from scipy.stats import norm, rankdata

from data.city import City
from geo import crs
from geo.drainage_error import ElevationError
from geo.regions import assign_regions
from models.flood_draws import FloodDraws, draw_floods, state_draws
from models.storm import INCH_MM, Pumping, Storm
from pages.parts.basins_draws import DRAWS, SEED
from pages.parts.basins_ground import Surface, prepare_surface
from pages.parts.basins_inputs import BasinsInputs, learn, prepare_basins

MARGIN_M = 1_000.0
"""Rain fell at least this far around the calls: half the spacing of a fine rain gauge network."""

NEAR_M = 50.0
"""A call stands at an address or corner, half a block at most from the water it tells of."""

CLASSES = (0.1, 0.5, 0.9)
NAMED = (
    "Broadmoor",
    "Lakeview",
    "Fillmore",
    "Gentilly Terrace",
    "Read Blvd East",
    "Mid-City",
    "French Quarter",
)
PLACES: tuple[tuple[str, float, float, float, float], ...] = (
    ("Broadmoor", -90.105, 29.948, -90.139, 29.903),
    ("Mid-City", -90.097, 29.968, -90.149, 29.984),
    ("Lakeview", -90.108, 30.007, -90.132, 30.043),
    ("below the Gentilly ridge", -90.072, 30.012, -90.085, 30.052),
    ("Gentilly ridge", -90.053, 29.998, -90.006, 29.988),
    ("New Orleans East", -89.962, 30.035, -89.972, 30.073),
    ("French Quarter", -90.065, 29.958, -90.043, 29.940),
)
"""Name, the place itself, and where its name is written; degrees."""

FRAME = (-90.163, 29.893, -89.893, 30.082)
WATER, LAND, UNKNOWN, INK = "#C9DAE6", "#F7F4ED", "#E3E3E0", "#2B3640"
CHANCE = ("#BBDCF4", "#5FA9DD", "#1F6FB4", "#3A2A86")

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Auc:
    """Chance that a call lies wetter than a place of the background, with its 95 % interval."""

    value: float
    low: float
    high: float
    calls: int
    background: int


def auc(calls: npt.ArrayLike, background: npt.ArrayLike) -> Auc:
    """Area under the curve, ties counted half, with the interval of DeLong et al. (1988, Biometrics 44:837).

    Parameters
    ----------
    calls, background
        (m,) and (n,) scores, two or more of each.
    """
    x, y = np.asarray(calls, dtype=np.float64), np.asarray(background, dtype=np.float64)
    m, n = len(x), len(y)
    ranks = rankdata(np.concatenate([x, y]))
    of_call = (ranks[:m] - rankdata(x)) / n
    of_place = 1 - (ranks[m:] - rankdata(y)) / m
    value = float(of_call.mean())
    half = norm.ppf(0.975) * np.sqrt(of_call.var(ddof=1) / m + of_place.var(ddof=1) / n)
    return Auc(value, max(value - half, 0.0), min(value + half, 1.0), m, n)


def wettest_near(p_wet: npt.NDArray[np.float32], cell_m: float, *, near_m: float = NEAR_M) -> FloatArray:
    """(rows, columns) highest chance within so many metres of each cell's middle; zero without ground."""
    reach = int(near_m // cell_m)
    step = np.arange(-reach, reach + 1) * cell_m
    disc = np.hypot(*np.meshgrid(step, step)) <= near_m
    return np.asarray(ndimage.maximum_filter(np.nan_to_num(p_wet), footprint=disc), dtype=np.float64)


def footprint(x_m: FloatArray, y_m: FloatArray, *, margin_m: float = MARGIN_M) -> shapely.Polygon:
    """Where it rained: the hull of the calls with a margin, whatever stood under water."""
    return shapely.MultiPoint(np.column_stack([x_m, y_m])).convex_hull.buffer(margin_m)


@dataclass(frozen=True, eq=False)
class Case:
    """The city, its ground, and the draws of the profile's first storm."""

    city: City
    inputs: BasinsInputs
    surface: Surface
    draws: FloodDraws


def make_case(
    city: City,
    *,
    on_draw: Callable[[int, int], None] = lambda _, __: None,
) -> Case:
    """Draw the profile's first storm on the city's ground."""
    inputs = prepare_basins(city)
    surface, known = prepare_surface(inputs), learn(inputs)
    if surface is None:
        sys.exit(city.missing_elevation)
    rules = surface.rules
    first, pumps = rules.storms[0], rules.pumping
    draws = draw_floods(
        surface.case(
            Storm(first.depth_in * INCH_MM, first.duration_h * 60, first.shape, first.name),
            Pumping(pumps.first_hour_in * INCH_MM, pumps.later_in_per_h * INCH_MM),
        ),
        open_share=known.open_share,
        states=state_draws(known.states),
        error=ElevationError(sd_m=rules.elevation_sd_m, range_m=rules.elevation_range_m),
        seed=SEED,
        draws=DRAWS,
        on_draw=on_draw,
    )
    return Case(city, inputs, surface, draws)


def call_aucs(case: Case, calls: pd.DataFrame) -> dict[str, Auc]:
    """Compare the calls' places with streets, and with police calls, inside the rain's footprint."""
    grid, near = case.surface.elevation.grid, wettest_near(case.draws.p_wet, case.draws.case.cell_m)
    x, y = crs.to_metres(calls["lon"], calls["lat"], grid.epsg)
    rained = footprint(x, y)
    shapely.prepare(rained)

    def score(x_m: FloatArray, y_m: FloatArray) -> FloatArray:
        row, column, held = grid.cells_of(x_m, y_m)
        inside = held & shapely.contains_xy(rained, x_m, y_m)
        return near[row[inside], column[inside]]

    cells = case.surface.cells
    police = case.city.table("calls")
    places = {
        "places every 10 m along the streets": grid.middles(cells.row, cells.column),
        "police calls of 2022": crs.to_metres(police["lon"], police["lat"], grid.epsg),
    }
    return {name: auc(score(x, y), score(*place)) for name, place in places.items()}


def lines(case: Case, aucs: dict[str, Auc]) -> Iterator[str]:
    """Say the figures of the page."""
    draws, square_km = case.draws, case.draws.case.cell_m**2 / 1e6
    p, m2 = draws.p_wet, draws.pool_m2
    wet = draws.figures["wet_m2"] / 1e6
    yield f"Storm: {draws.case.storm.words} {draws.draws} draws."
    yield f"Wet ground, mean and spread of the draws: {wet.mean():.1f} km2, {wet.std(ddof=1):.1f}"
    yield f"Wet in 9 of 10 draws or more: {(p >= 0.9).sum() * square_km:.1f} km2"
    yield f"Undecided, 1 to 9 of 10 draws: {((p >= 0.1) & (p < 0.9)).sum() * square_km:.1f} km2"
    for least in (0.0, 0.01, 0.1):
        large = m2 >= least * 1e6
        again = draws.found[large]
        yield (
            f"Pools of {least:g} km2 or more: {large.sum()}, found again on average in {again.mean():.0%} of "
            f"the draws; {(again >= 0.9).mean():.0%} of them in 9 of 10 or more, "
            f"{(again < 0.5).mean():.0%} in fewer than half"
        )
    yield f"Share of the wet ground whose pool is found in half the draws or more: {draws.ground_found:.0%}"
    hoods = case.city.areas("neighborhoods")
    row, column = np.nonzero(~np.isnan(p))
    grid = case.surface.elevation.grid
    at = assign_regions(*crs.to_degrees(*grid.middles(row, column), grid.epsg), hoods.geometry.to_numpy())
    mean = pd.Series(p[row, column]).groupby(at).mean()
    names = hoods["name"].astype(str).str.title().to_numpy()
    named = {
        str(names[area]): float(value) for area, value in zip(mean.index, mean, strict=True) if area >= 0
    }
    yield "Mean P(wet): " + ", ".join(f"{name} {named[name]:.0%}" for name in NAMED)
    highest = sorted(named.items(), key=lambda entry: -entry[1])[:8]
    yield "Highest: " + ", ".join(f"{name} {value:.0%}" for name, value in highest)
    for name, found in aucs.items():
        yield (
            f"AUC of {found.calls} flood calls against {found.background:,} {name}: {found.value:.2f} "
            f"({found.low:.2f} to {found.high:.2f})"
        )


def picture(case: Case, out: Path) -> None:
    """Draw P(wet) with the places that people know."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.patheffects import withStroke
    from PIL import Image

    grid, network = case.surface.elevation.grid, case.city.network
    (west, east), (south, north) = (
        np.array(ends) for ends in crs.to_metres(np.array(FRAME[::2]), np.array(FRAME[1::2]), grid.epsg)
    )
    figure = plt.figure(figsize=(10, 10 * (north - south) / (east - west)), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    extent = (
        grid.west_m,
        grid.west_m + grid.shape[1] * grid.cell_m,
        grid.north_m - grid.shape[0] * grid.cell_m,
        grid.north_m,
    )
    axes.add_patch(Rectangle((west, south), east - west, north - south, color=UNKNOWN, zorder=0))
    water = shapely.union_all(case.city.areas("water").geometry.to_numpy())
    for part in shapely.get_parts(crs.geometry_to_metres(water, grid.epsg)):
        axes.fill(*np.asarray(part.exterior.coords).T, color=WATER, linewidth=0, zorder=0.5)
    ground = np.where(np.isnan(case.draws.p_wet), np.nan, 1.0)
    axes.imshow(ground, extent=extent, cmap=ListedColormap([LAND]), interpolation="nearest", zorder=1)
    shown = np.where(case.draws.p_wet >= CLASSES[0] / 2, case.draws.p_wet, np.nan)
    axes.imshow(
        shown,
        extent=extent,
        cmap=ListedColormap(CHANCE),
        norm=BoundaryNorm([CLASSES[0] / 2, *CLASSES[:1], *CLASSES[1:], 1.01], len(CHANCE)),
        interpolation="nearest",
        zorder=2,
    )
    large = [at for at, name in enumerate(network.classes) if name in {"motorway", "primary", "secondary"}]
    for line in network.lines_m[np.isin(network.edge_class, large)]:
        axes.plot(*np.asarray(line.coords).T, color="#8D8A84", linewidth=0.45, alpha=0.8, zorder=3)
    halo = [withStroke(linewidth=3.2, foreground="#FFFFFF")]
    for name, lon, lat, at_lon, at_lat in PLACES:
        (x, at_x), (y, at_y) = crs.to_metres(np.array([lon, at_lon]), np.array([lat, at_lat]), grid.epsg)
        axes.plot([x, at_x], [y, at_y], color=INK, linewidth=0.9, zorder=5, path_effects=halo)
        axes.plot(x, y, "o", color=INK, markersize=4, markeredgecolor="white", zorder=6)
        axes.text(
            at_x,
            at_y,
            name,
            ha="center",
            va="center",
            fontsize=12.5,
            fontweight="semibold",
            color=INK,
            zorder=7,
            path_effects=halo,
        )
    for name, lon, lat, turn in (
        ("Lake Pontchartrain", -90.03, 30.068, 0),
        ("Mississippi", -90.112, 29.9065, -4),
    ):
        x, y = crs.to_metres(lon, lat, grid.epsg)
        axes.text(
            float(x), float(y), name, ha="center", fontsize=11, style="italic", color="#5B7386", rotation=turn
        )
    labels = ("90 % and more", "50 to 90 %", "10 to 50 %", "5 to 10 %")
    legend = axes.legend(
        handles=[
            *(Patch(color=colour, label=label) for colour, label in zip(CHANCE[::-1], labels, strict=True)),
            Patch(color=UNKNOWN, label="ground not known"),
        ],
        loc="lower right",
        bbox_to_anchor=(0.985, 0.075),
        title="Chance of a foot (0.3 m) of water",
        fontsize=11,
        title_fontsize=11.5,
        framealpha=0.95,
        edgecolor="#C9CED3",
    )
    legend.set_zorder(9)
    mile = 1_609.344
    left, low, gap = east - 6.5 * mile, south + 0.035 * (north - south), 250.0
    for start, length, words in ((left, 2 * mile, "2 mi"), (left + 3.3 * mile, 3_000.0, "3 km")):
        axes.plot([start, start + length], [low, low], color=INK, linewidth=2, zorder=9)
        axes.text(
            start + length + gap,
            low,
            words,
            va="center",
            fontsize=10.5,
            color=INK,
            path_effects=halo,
            zorder=9,
        )
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    figure.savefig(out)
    plt.close(figure)
    # A palette of few colours is a third of the size, and nobody sees the difference.
    Image.open(out).convert("RGB").quantize(48, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    """Draw, print the figures, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("city", type=Path)
    parser.add_argument("calls", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()

    def tell(done: int, of: int) -> None:
        sys.stderr.write(f"\r{done} of {of}")

    case = make_case(City.open(asked.city), on_draw=tell)
    found = lines(case, call_aucs(case, pd.read_csv(asked.calls)))
    sys.stdout.writelines(f"{line}\n" for line in found)
    if asked.out:
        picture(case, asked.out)


if __name__ == "__main__":
    main()
