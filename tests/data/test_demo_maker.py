"""Making the demo city: the same bytes for the same seed, synthetic on every table, told as it goes."""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.city import City
from data.demo.maker import make_demo
from errors import InvalidInputError


def digests(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.relative_to(folder).parts[0] != "cache"
    }


def test_the_same_seed_makes_the_same_bytes(demo_city_dir: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    make_demo(tmp_path / "again", seed=7, progress=lambda what, share: told.append((what, share)))
    assert digests(tmp_path / "again") == digests(demo_city_dir)

    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert len(told) >= 6
    assert all(what and what[0].isupper() and "_" not in what for what, _ in told)


def test_another_seed_makes_another_city(demo_city_dir: Path, tmp_path: Path) -> None:
    make_demo(tmp_path / "other", seed=8)
    one, other = digests(demo_city_dir), digests(tmp_path / "other")
    assert one.keys() == other.keys()
    for name in ("streets", "street_nodes", "calls", "unit_responses", "outlets", "basins", "rainfall"):
        assert one[f"tables/{name}.parquet"] != other[f"tables/{name}.parquet"]
    # The ground is drawn by hand: no seed moves the river.
    for name in ("water", "neighborhoods", "posts", "hospitals", "pump_areas"):
        assert one[f"tables/{name}.parquet"] == other[f"tables/{name}.parquet"]
    city = City.open(tmp_path / "other")
    assert 15_000 <= len(city.table("street_nodes")) <= 20_000
    assert city.network.main.mean() >= 0.98
    assert city.version != City.open(demo_city_dir).version


def test_every_table_says_that_it_is_synthetic(demo_city_dir: Path) -> None:
    city = City.open(demo_city_dir)
    assert city.synthetic
    assert (city.maker, city.seed) == ("demo", 7)
    for name in city.tables:
        source = city.source(name)
        assert source.source == "Synthetic demo city, seed 7"
        assert any("Not real" in caveat for caveat in source.caveats)
    expected = {"streets", "street_nodes", "calls", "unit_responses", "shifts", "posts", "hospitals"}
    expected |= {"neighborhoods", "districts", "water", "outlets"}
    expected |= {"pump_areas", "basins", "cleanings", "service_requests", "rainfall", "buildings"}
    assert set(city.tables) == expected
    assert city.elevation_source is not None
    assert city.elevation_source.source == "Synthetic demo city, seed 7"


def test_only_the_spoilt_tables_have_a_quarantine(demo_city_dir: Path) -> None:
    city = City.open(demo_city_dir)
    spoilt = {name for name in city.tables if city.account(name).quarantined}
    assert spoilt == {"calls", "unit_responses", "shifts", "outlets"} | {
        "basins",
        "cleanings",
        "service_requests",
        "rainfall",
        "buildings",
    }
    manifest = json.loads((demo_city_dir / "manifest.json").read_text(encoding="utf-8"))
    for name in spoilt:
        count = city.account(name).quarantined
        assert f"{count:,} of" in manifest["tables"][name]["steps"][0]


def test_the_docs_list_what_was_planted(demo_city_dir: Path) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
    for file in sorted((demo_city_dir / "truth").iterdir()):
        columns = ", ".join(pq.read_schema(file).names)
        assert any(f"| `{file.stem}` |" in line and f"`{columns}`" in line for line in docs.splitlines()), (
            columns
        )


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="seed is -1"):
        make_demo(tmp_path / "city", seed=-1)
    assert not (tmp_path / "city").exists()


def test_what_is_no_city_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(InvalidInputError):
        make_demo(tmp_path, seed=7)
    assert (tmp_path / "holiday.txt").read_text(encoding="utf-8") == "keep me"
