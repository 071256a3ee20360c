"""Small ponds against EPA SWMM's dynamic wave: rain, inlets behind the pumps' allowance, a second pond."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import Ponds, significant_ponds
from models.flood import prepare_ground, run_storm
from models.storm import Pumping, Storm

pyswmm = pytest.importorskip("pyswmm", reason="pyswmm is not installed")

FloatArray = npt.NDArray[np.float64]
CELL_M = 10.0
DEEP = 5.0
"""Depth of SWMM's storage above the pond's floor: deep enough never to overflow by itself."""

HEAD = """
[OPTIONS]
FLOW_UNITS CMS
INFILTRATION HORTON
FLOW_ROUTING DYNWAVE
LINK_OFFSETS DEPTH
START_DATE 01/01/2024
START_TIME 00:00:00
END_DATE 01/02/2024
END_TIME 00:00:00
REPORT_STEP 00:01:00
WET_STEP 00:00:30
DRY_STEP 00:00:30
ROUTING_STEP {routing_s}
VARIABLE_STEP 0
ALLOW_PONDING NO
THREADS 1

[EVAPORATION]
CONSTANT 0.0

[RAINGAGES]
G INTENSITY 0:05 1.0 TIMESERIES RAIN

[OUTFALLS]
AWAY -20 FREE NO

[TIMESERIES]
{rain}

"""


@dataclass(frozen=True)
class Basin:
    """One pond of a SWMM network."""

    name: str
    area_m2: float
    floor_m: float
    depths_m: FloatArray
    areas_m2: FloatArray


@dataclass(frozen=True)
class Found:
    """Storage volumes (minutes, ponds), levels, and what left by each link, in all."""

    volume_m3: FloatArray
    depth_m: FloatArray
    passed_m3: dict[str, float]


def write_swmm(folder: Path, storm: Storm, basins: list[Basin], links: str, *, routing_s: int = 2) -> Path:
    """Write a day of EPA SWMM: each pond a storage with a sealed catchment, joined by the given links."""
    rain = storm.rain_mm(5.0) * 12.0
    rows = [f"RAIN {k * 5 // 60}:{k * 5 % 60:02d} {value:.9f}" for k, value in enumerate([*rain, 0.0])]
    text = HEAD.format(rain="\n".join(rows), routing_s=routing_s)
    text += "[STORAGE]\n"
    text += "\n".join(f"{b.name} {b.floor_m} {b.depths_m[-1]} 0 TABULAR {b.name}C 0 0" for b in basins)
    # Roofs without roughness or loss: rain is in the pond at once, as the balance has it.
    text += "\n\n[SUBCATCHMENTS]\n"
    text += "\n".join(f"S{b.name} G {b.name} {b.area_m2 / 1e4} 100 10000 10 0" for b in basins)
    text += "\n\n[SUBAREAS]\n" + "\n".join(f"S{b.name} 0.001 0.001 0 0 100 OUTLET" for b in basins)
    text += "\n\n[INFILTRATION]\n" + "\n".join(f"S{b.name} 0 0 1 1 0" for b in basins)
    text += "\n\n[CURVES]\n"
    for b in basins:
        for k, (level, area) in enumerate(zip(b.depths_m, b.areas_m2, strict=True)):
            text += f"{b.name}C {'STORAGE' if k == 0 else ''} {level:.6f} {area:.4f}\n"
    path = folder / "network.inp"
    path.write_text(text + "\n" + links, encoding="utf-8")
    return path


def run_swmm(folder: Path, storm: Storm, basins: list[Basin], links: str, names: list[str]) -> Found:
    """Run that network, and look at ponds and links every minute."""
    path = write_swmm(folder, storm, basins, links)
    volumes, depths, passed = [], [], dict.fromkeys(names, 0.0)
    with pyswmm.Simulation(str(path)) as simulation:
        nodes = [pyswmm.Nodes(simulation)[b.name] for b in basins]
        flows = {name: pyswmm.Links(simulation)[name] for name in names}
        simulation.step_advance(60)
        for _ in simulation:
            volumes.append([node.volume for node in nodes])
            depths.append([node.depth for node in nodes])
            for name, link in flows.items():
                passed[name] += link.flow * 60.0
    return Found(np.array(volumes), np.array(depths), passed)


def bowl_as_storage(ponds: Ponds, node: int, area_m2: float, name: str, *, deep_m: float = DEEP) -> Basin:
    """The pond's own table as SWMM's curve of area by depth: a step in area becomes a steep line."""
    level, area, _ = ponds.nest.curve(node)
    floor = float(ponds.bottom_m[node])
    depth = level - floor
    steps = np.repeat(depth, 2)[1:]
    steps[1::2] -= 1e-4
    return Basin(name, area_m2, floor, np.append(steps, deep_m), np.append(np.repeat(area, 2)[:-1], area[-1]))


def _trench() -> Ponds:
    """Return a bowl of four cells in a row, each higher than the one before, within a rim of 2 m."""
    dem = np.full((3, 7), 2.0)
    dem[1, 1:5] = [0.0, 0.2, 0.4, 0.8]
    return significant_ponds(nest_bowls(dem, CELL_M, edge="wall"), min_depth_m=0.1)


@pytest.mark.parametrize(("depth_mm", "minutes"), [(60.0, 60.0), (150.0, 120.0)])
def test_a_pond_with_an_inlet_behind_the_pumps(tmp_path: Path, depth_mm: float, minutes: float) -> None:
    ponds = _trench()
    storm = Storm(depth_mm, minutes)
    # The allowance is the same in every hour here, as SWMM's outlet has one rating.
    pumping = Pumping(25.4, 25.4)
    ground = prepare_ground(ponds, basin_row=[1], basin_column=[1], capacity_m3_s=1.0, runoff_share=1.0)
    flood = run_storm(ground, storm, pumping, 1.0)
    allowed_m3_s = 0.0254 / 3600 * ground.ground_m2
    links = f"""
[OUTLETS]
PUMP A AWAY 0 TABULAR/DEPTH PUMPC NO

[CURVES]
PUMPC RATING 0 0
PUMPC 0.005 {allowed_m3_s}
PUMPC 10 {allowed_m3_s}
"""
    found = run_swmm(tmp_path, storm, [bowl_as_storage(ponds, 1, ground.ground_m2, "A")], links, ["PUMP"])
    assert flood.peak_m3 == pytest.approx(found.volume_m3.max(), rel=0.005)
    assert flood.level_m[1] - ponds.bottom_m[1] == pytest.approx(found.depth_m.max(), abs=0.002)
    assert flood.drained_m3 == pytest.approx(found.passed_m3["PUMP"], rel=0.005)
    every_five = found.volume_m3[4::5, 0][: len(flood.minutes)]
    assert np.abs(flood.standing_series_m3[: len(every_five)] - every_five).max() < 0.01 * flood.peak_m3


def test_a_small_inlet_takes_its_capacity(tmp_path: Path) -> None:
    ponds = _trench()
    storm, capacity, share = Storm(100.0, 90.0, "early"), 0.008, 0.6
    ground = prepare_ground(ponds, basin_row=[1], basin_column=[2], capacity_m3_s=capacity, runoff_share=0.8)
    flood = run_storm(ground, storm, Pumping(1e3, 1e3), share)
    links = f"""
[OUTLETS]
PUMP A AWAY 0 TABULAR/DEPTH PUMPC NO

[CURVES]
PUMPC RATING 0 0
PUMPC 0.005 {capacity * share}
PUMPC 10 {capacity * share}
"""
    basin = bowl_as_storage(ponds, 1, 0.8 * ground.ground_m2, "A")
    found = run_swmm(tmp_path, storm, [basin], links, ["PUMP"])
    assert flood.peak_m3 == pytest.approx(found.volume_m3.max(), rel=0.005)
    assert flood.level_m[1] - ponds.bottom_m[1] == pytest.approx(found.depth_m.max(), abs=0.002)
    assert flood.drained_m3 == pytest.approx(found.passed_m3["PUMP"], rel=0.005)


def test_a_rim_into_a_second_pond(tmp_path: Path) -> None:
    dem = np.full((3, 9), 3.0)
    dem[1, 1:4], dem[1, 4], dem[1, 5:8] = 0.5, 0.9, 0.0
    ponds = significant_ponds(nest_bowls(dem, CELL_M, edge="wall"), min_depth_m=0.1)
    first, second = int(ponds.label[1, 1]), int(ponds.label[1, 6])
    storm, capacity = Storm(130.0, 60.0), 0.004
    ground = prepare_ground(ponds, basin_row=[1], basin_column=[6], capacity_m3_s=capacity, runoff_share=1.0)
    flood = run_storm(ground, storm, Pumping(1e3, 1e3), 1.0)
    links = f"""
[WEIRS]
RIM A B TRANSVERSE 0.4 1.7 NO 0 0 YES

[OUTLETS]
PUMP B AWAY 0 TABULAR/DEPTH PUMPC NO

[XSECTIONS]
RIM RECT_OPEN 3.0 10.0 0 0

[CURVES]
PUMPC RATING 0 0
PUMPC 0.005 {capacity}
PUMPC 10 {capacity}
"""
    basins = [
        bowl_as_storage(ponds, node, ponds.area_m2[node], name)
        for node, name in ((first, "A"), (second, "B"))
    ]
    found = run_swmm(tmp_path, storm, basins, links, ["RIM", "PUMP"])
    assert 0 < flood.level_m[second] < 0.9
    # SWMM's pond stands two centimetres over the rim while it spills; here it is full.
    assert flood.level_m[first] == 0.9
    assert found.depth_m[:, 0].max() == pytest.approx(0.4, abs=0.03)
    assert flood.spilled_m3[first] == pytest.approx(found.passed_m3["RIM"], rel=0.02)
    assert flood.level_m[second] == pytest.approx(found.depth_m[:, 1].max(), abs=0.005)
    assert flood.drained_m3 == pytest.approx(found.passed_m3["PUMP"], rel=0.005)
    assert flood.stored_m3 == pytest.approx(found.volume_m3[-1].sum(), rel=0.02)
