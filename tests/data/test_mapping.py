# ruff: noqa: DTZ001  (wall-clock times have no zone: that is what is tested)
import csv
import io
import shutil
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from data.city import City
from data.mapping import Layout, TableMapping, make_mapping, read_mapping
from data.mapping_apply import apply
from data.mapping_cells import Limits, SourceTable
from data.mapping_rows import About, map_rows, preview
from data.mapping_source import file_inside, keep_upload, read_source
from data.mapping_suggest import suggest_crs, suggest_mapping
from data.mapping_template import template, template_mapping
from data.mapping_values import SKIPPED, STYLES, TWICE, plain_numbers, read_moments, zoned_times
from data.safe import safe_csv
from data.schemas import TABLES
from errors import ImportSourceError, InvalidInputError
from geo.crs import to_metres
from tests.data.small_city import SOUTH, WEST, small_tables, write_city

ZONE = "America/Chicago"
TAKEN = date(2026, 11, 1)
ABOUT = About(source="the city's CAD", licence="none", period="2026", retrieved=TAKEN)
RUNS = make_mapping(
    {
        "version": 1,
        "table": "unit_responses",
        "columns": {
            "call_id": {"column": "Incident"},
            "unit_id": {"column": "Unit"},
            "unit_type": {"column": "Level", "words": {"paramedic": "ALS", "basic": "BLS"}},
            "assigned_at": {"column": "Date", "clock_column": "Clock", "style": "us"},
            "on_scene_at": {"column": "Scene", "style": "us"},
            "cancelled": {"constant": "false"},
        },
    }
)
RUNS_HEADING = ["Incident", "Unit", "Level", "Date", "Clock", "Scene", "Patient"]


@pytest.fixture(scope="module")
def city_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_city(tmp_path_factory.mktemp("mapping") / "city")


@pytest.fixture(scope="module")
def city(city_folder: Path) -> City:
    return City.open(city_folder)


def written(path: Path, rows: Sequence[Sequence[object]], **how: str) -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=how.get("delimiter", ",")).writerows(rows)
    path.write_bytes(text.getvalue().encode(how.get("encoding", "utf-8")))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# Reading files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_told(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [["Name", "Wo, wann; wie"], ["Café", "a,b;c"], ["Ñandú", "x|y"], ["", " "], ["b", ""]]
    source = read_source(written(tmp_path / "a.csv", rows, encoding=encoding, delimiter=delimiter))
    assert source.columns == ("Name", "Wo, wann; wie")
    assert source.texts["Name"].tolist() == ["Café", "Ñandú", "b"]
    assert source.texts.iloc[:2, 1].tolist() == ["a,b;c", "x|y"]
    assert (len(source), source.blank) == (3, 1)


def test_headings_are_told_apart_and_wide_rows_are_marked(tmp_path: Path) -> None:
    rows = [["a report"], ["x", "", "x", "x (2)", "", ""], ["1", "2", "3", "4"], ["5"], list("1234567")]
    source = read_source(written(tmp_path / "a.csv", rows, delimiter=";"), Layout(header_row=2))
    assert source.columns == ("x", "column 2", "x (3)", "x (2)")
    assert source.wide.tolist() == [0, 0, 7]
    assert source.texts["column 2"].isna().tolist() == [False, True, False]
    assert len(read_source(tmp_path / "a.csv", Layout(header_row=2), head=2)) == 2


@pytest.mark.parametrize(
    ("name", "held", "said"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b" \r\n", "is empty"),
        ("a.csv", b"\xef\xbb\xbf,,\n1,2", "heading is empty"),
        ("a.csv", b"a,b\n\x00\x01", "no text"),
        ("a.csv", b"a,b\n\x81", "not text in utf-8 or cp1252"),
        ("a.csv", b'a,b\n1,"2\n3,4\n5,6\n', "quotation mark opens in line 2"),
        ("a.csv", b'a,b\n1,"' + b"x" * 140_000, "a cell does not end"),
        ("a.csv", b"b\n1\n", "lacks the column"),
        ("a.pdf", b"a", "files can be"),
        ("a.xlsx", b"no zip", "no workbook"),
        ("a.gpkg", b"<OGRVRTDataSource/>", "no GeoPackage"),
        ("a.geojson", b'{"type": "Point"}', "no GeoJSON"),
        ("a.geojson", b"[" * 100_000, "no GeoJSON"),
        ("a.geojson", b'{"features": []}', "is empty"),
        ("a.geojson", b'{"features": [{}], "crs": {"properties": {"name": "EPSG:1"}}}', "coordinate system"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path: Path, name: str, held: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(held)
    with pytest.raises(ImportSourceError, match=said):
        read_source(path, only=["a"])


def test_what_is_too_large_is_refused_and_not_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [["a", "b"], [1, 2], [3, 4], [5, 6]])
    for limits in (Limits(rows=2), Limits(columns=1), Limits(file_bytes=9)):
        with pytest.raises(ImportSourceError, match="more than"):
            read_source(path, limits=limits)
    with pytest.raises(InvalidInputError, match="more than"):
        keep_upload(tmp_path, "b.csv", b"a" * 10, limits=Limits(file_bytes=9))


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Runs")
    sheet.append(["Incident", "When", "Miles", "Ok", "Note"])
    sheet.append([20260001, datetime(2026, 3, 7, 14, 5), 2.5, True, "'=1"])
    sheet.append([None, None, None, None, None])
    sheet.append(["A-2", date(2026, 3, 8), 3.0, None, None, "beyond"])
    book.save(path)
    return path


def test_a_sheet_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    source = read_source(workbook(tmp_path / "a.xlsx"), Layout(sheet="Runs"))
    assert source.sheets == ("Notes", "Runs")
    assert source.texts.astype(object).where(source.texts.notna(), None).to_numpy().tolist() == [
        ["20260001", "2026-03-07 14:05:00", "2.5", "true", "=1"],
        ["A-2", "2026-03-08 00:00:00", "3", None, None],
    ]
    assert (source.wide.tolist(), source.blank) == ([0, 6], 1)
    with pytest.raises(ImportSourceError, match="no sheet 'Runz'; it has Notes, Runs"):
        read_source(tmp_path / "a.xlsx", Layout(sheet="Runz"))
    with pytest.raises(ImportSourceError, match="no row 1"):
        read_source(tmp_path / "a.xlsx")


def repacked(path: Path, name: str, change: bytes | None) -> Path:
    """Give the workbook with one part put before its own text, or left out."""
    out = path.with_name("b.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            held = old.read(member)
            if member.filename != name:
                new.writestr(member, held)
            elif change is not None:
                new.writestr(member, change + held.split(b"?>", 1)[-1])
    return out


SHEET = "xl/worksheets/sheet2.xml"


def test_a_workbook_cannot_blow_up(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx")
    with pytest.raises(ImportSourceError, match="unpacks to more than"):
        read_source(path, limits=Limits(unpacked_bytes=2000))
    laughs = b'<?xml version="1.0"?><!-- ha --><!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>'
    with pytest.raises(ImportSourceError, match="XML entities"):
        read_source(repacked(path, SHEET, laughs), Layout(sheet="Runs"))
    with pytest.raises(ImportSourceError, match="cannot be read"):
        read_source(repacked(path, SHEET, None), Layout(sheet="Runs"))
    with pytest.raises(ImportSourceError, match="torn"):
        read_source(repacked(path, SHEET, b"<sheet"), Layout(sheet="Runs"))


def test_a_lone_cell_far_out_does_not_fill_memory(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.cell(1, 1, "a")
    sheet.cell(2, 16_384, "far")
    sheet.cell(900_000, 1, "deep")
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ImportSourceError, match="more than 1,000 rows"):
        read_source(tmp_path / "a.xlsx", limits=Limits(rows=1000))
    assert read_source(tmp_path / "a.xlsx", head=1).wide.tolist() == [501]


def test_layers_come_with_their_system(tmp_path: Path, city: City) -> None:
    hoods = small_tables()["neighborhoods"].rename(columns={"name": "geometry (2)"})
    assert isinstance(hoods, gpd.GeoDataFrame)
    hoods.to_crs(3452).to_file(tmp_path / "a.gpkg", layer="hoods")
    hoods.to_file(tmp_path / "a.geojson")
    for name in ("a.gpkg", "a.geojson"):
        source = read_source(tmp_path / name)
        mapping = make_mapping(
            {
                "version": 1,
                "table": "neighborhoods",
                "columns": {"name": {"column": "geometry (2)"}, "population": {"column": "population"}},
                "place": {"shape": "geometry"},
            }
        )
        told = preview(mapping, source, city, retrieved=TAKEN)
        assert (told.accepted, told.faults) == (2, ())
        assert told.head["population"].tolist() == [100, 200]
        off = shapely.hausdorff_distance(told.head["geometry"].to_numpy(), hoods.geometry.to_numpy())
        assert (off < 1e-7).all()


@given(
    st.text(max_size=12)
    | st.sampled_from(["..", "../x", "/etc/passwd", "a/b", "C:x", "..\\x", "a\0b", "link"])
)
def test_no_name_leads_out_of_the_folder(city_folder: Path, name: str) -> None:
    folder = city_folder.parent / "uploads"
    folder.mkdir(exist_ok=True)
    link = folder / "link"
    if not link.is_symlink():
        link.symlink_to(city_folder / "manifest.json")
    try:
        assert file_inside(folder, name).parent == folder.resolve()
    except (InvalidInputError, UnicodeEncodeError):
        return
    assert name not in {"..", "../x", "/etc/passwd", "a/b", "C:x", "..\\x", "a\0b", "link"}


# Times and numbers


def times_in(style: str) -> tuple[str, str]:
    return {
        "iso": ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"),
        "us": ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %H:%M"),
        "day first": ("%d/%m/%Y %H:%M:%S", "%d.%m.%y %H:%M"),
        "month name": ("%d-%b-%Y %H:%M:%S", "%d %b %y %I:%M%p"),
        "compact": ("%Y%m%d%H%M%S", "%Y%m%d %H:%M"),
    }[style]


moments = st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1)).map(
    lambda when: when.replace(microsecond=0)
)


@settings(max_examples=30)
@given(
    st.lists(moments, min_size=1, max_size=8),
    st.sampled_from(["iso", "us", "day first", "month name", "compact"]),
)
def test_styles_read_what_strftime_wrote(when: list[datetime], style: str) -> None:
    for form in times_in(style):
        said = pd.Series([moment.strftime(form) for moment in when], dtype="str")
        seconds = "%S" in form
        want = [moment if seconds else moment.replace(second=0) for moment in when]
        assert read_moments(said, style).wall.tolist() == want


def test_numbered_times_and_zones_are_instants() -> None:
    when = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
    for style in ("unix", "unix ms"):
        assert read_moments(pd.Series([STYLES[style]]), style).zoned.tolist() == [when]
    excel = read_moments(pd.Series([STYLES["excel"], "60", "1e300", "x"]), "excel").wall
    assert excel.dt.round("s").tolist()[0] == when.replace(tzinfo=None, second=0)
    assert excel.isna().tolist() == [False, True, True, True]
    texts = [
        "2026-01-31T14:05:00Z",
        "2026-01-31 08:05-06:00",
        "2026-01-31 19:35:00.0000001+0530",
        "2026-01-31-06:00",
    ]
    zoned = read_moments(pd.Series(texts), "iso").zoned
    assert zoned.tolist()[:3] == [when] * 3
    assert zoned.isna().tolist() == [False, False, False, True]


def test_a_day_alone_is_a_time_only_where_a_clock_is_assumed() -> None:
    days = pd.Series(["2026-01-31", None, "soon"])
    assert read_moments(days, "iso").unread.all()
    assumed = read_moments(days, "iso", "12:00")
    assert assumed.wall.tolist()[0] == datetime(2026, 1, 31, 12)
    assert assumed.assumed.tolist() == [True, False, False]


@settings(max_examples=40)
@given(
    st.sampled_from([datetime(2026, 3, 8), datetime(2026, 11, 1), datetime(2026, 6, 1)]),
    st.integers(0, 6 * 60),
    st.sampled_from([ZONE, "America/New_York", "America/Phoenix", "Europe/London"]),
)
def test_clock_changes_are_those_of_the_zone(day: datetime, minute: int, zone: str) -> None:
    wall = day + timedelta(minutes=minute)
    first, second = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    exists = first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
    twice = exists and first.utcoffset() != second.utcoffset()
    read = read_moments(pd.Series([wall.isoformat()]), "iso")
    times, ambiguous, skipped = zoned_times(read, zone, "quarantine")
    assert (ambiguous.tolist(), skipped.tolist()) == ([twice], [not exists])
    assert times.isna().tolist() == [twice or not exists]
    if exists:
        for choice, want in (("first", first), ("second", second)):
            assert zoned_times(read, zone, choice)[0].tolist() == [want]


@pytest.mark.parametrize(
    ("said", "decimal", "want"),
    [
        ("1,234.5", "point", "1234.5"),
        ("1.234,5", "comma", "1234.5"),
        ("-12 345", "point", "-12345"),
        ("2,5", "comma", "2.5"),
        ("1,2345", "point", "1,2345"),
        ("12,3", "point", "12,3"),
        ("abc", "comma", "abc"),
    ],
)
def test_thousands_and_decimals_are_told_apart(said: str, decimal: str, want: str) -> None:
    assert plain_numbers(pd.Series([said]), decimal).tolist() == [want]


# Mappings


def test_a_mapping_is_saved_and_read_again() -> None:
    assert read_mapping(RUNS.to_json()) == RUNS
    toml = """
        version = 1
        table = "cleanings"
        [file]
        header_row = 3
        [columns]
        debris_kg = { column = "Pounds", unit = "lb to kg", decimal = "comma" }
        [place]
        x = "X"
        y = "Y"
        crs = "EPSG:3452"
    """
    mapping = read_mapping(toml)
    assert mapping.lacks == ("cleaning_id", "basin_id", "cleaned_at")
    assert mapping.file_columns == ("Pounds", "X", "Y")
    assert read_mapping(mapping.to_json()) == mapping


def test_every_fault_of_a_mapping_is_said() -> None:
    columns = {
        "unit_id": {"column": "a", "style": "us"},
        "colour": {"column": "b"},
        "lon": {"column": "c"},
        "assigned_at": {"column": "d", "unit": "lb to kg"},
    }
    with pytest.raises(InvalidInputError) as caught:
        make_mapping({"version": 1, "table": "unit_responses", "columns": columns, "place": {"shape": "e"}})
    for said in (
        "unit_id: is no time",
        "no column colour",
        "filled through",
        "lb to kg does not",
        "has no places",
    ):
        assert said in str(caught.value)
    for bad in (
        {"column": "a", "constant": "b"},
        {"column": "a", "zone": "Mars"},
        {"column": "a", "style": "x"},
    ):
        with pytest.raises(InvalidInputError, match=r"columns\.call_id"):
            make_mapping({"version": 1, "table": "calls", "columns": {"call_id": bad}})
    for place in ({"x": "a"}, {"x": "a", "y": "b", "shape": "c"}, {"shape": "a", "crs": "EPSG:5703"}):
        with pytest.raises(InvalidInputError, match="place"):
            make_mapping({"version": 1, "table": "calls", "place": place})
    for text in ("{", "table = ", 'table = "calls"', "[1]", '{"version": 2, "table": "calls"}'):
        with pytest.raises(InvalidInputError, match="cannot be used"):
            read_mapping(text)


def runs(tmp_path: Path, rows: Sequence[Sequence[object]]) -> SourceTable:
    return read_source(written(tmp_path / "runs.csv", [RUNS_HEADING, *rows]))


def test_rows_become_runs_or_say_why_not(tmp_path: Path, city: City) -> None:
    source = runs(
        tmp_path,
        [
            ["1", "M1", "Paramedic", "3/13/2026", "10:05 PM", "3/13/2026 22:15", "Doe"],
            ["2", "M2", "basic", "3/8/2026", "2:30 AM", "", "Doe"],
            ["3", "M2", "basic", "11/1/2026", "1:30 AM", "", "Doe"],
            ["4", "M2", "rescue", "3/9/2026", "1:30 AM", "", "Doe"],
            ["5", "M2", "basic", "3/9/2026", "noon", "N/A", "Doe"],
            ["6", "M2", "basic", "3/9/2026", "1:30 PM", "3/9/2026 13:29", "Doe"],
            ["7", "M2", "basic", "3/9/2026", "1:30 PM", "", "Doe", "", "more"],
        ],
    )
    told = preview(RUNS, source, city, retrieved=TAKEN)
    assert told.head["assigned_at"].tolist() == [pd.Timestamp("2026-03-13 22:05", tz=ZONE)]
    assert told.head["unit_type"].tolist() == ["ALS"]
    assert told.head["cancelled"].tolist() == [False]
    assert set(told.reasons) == {
        f"assigned_at {SKIPPED}",
        f"assigned_at {TWICE}",
        "unit_type is not one of ALS, BLS",
        f"assigned_at cannot be read as a time (such as {STYLES['us']})",
        "on_scene_at is before assigned_at",
        "the row has 9 cells and the heading 7",
    }
    assert (told.read, told.accepted, len(told.quarantined)) == (7, 1, 6)
    assert not told.quarantined["record"].str.contains("Doe").any()
    assert '"assigned_at": "3/9/2026 noon"' in told.quarantined["record"].str.cat()


def test_units_constants_days_and_grids_are_brought_to_the_contract(tmp_path: Path) -> None:
    lon, lat = np.array([WEST, 0.0]), np.array([SOUTH, 0.0])
    x, y = to_metres(lon[:1], lat[:1], 3452)
    rows = [["Id", "Lb", "Done", "E", "N"], ["1", "1,000", "31/01/26", f"{x[0]}", f"{y[0]}"]]
    rows += [["2", "", "01/02/26", "0", "0"], ["3", "x", "01/02/26", "inf", "1"]]
    mapping = make_mapping(
        {
            "version": 1,
            "table": "cleanings",
            "columns": {
                "cleaning_id": {"column": "Id"},
                "basin_id": {"constant": "B1"},
                "cleaned_at": {"column": "Done", "style": "day first", "clock": "12:00", "zone": "UTC"},
                "debris_kg": {"column": "Lb", "unit": "lb to kg"},
            },
            "place": {"x": "E", "y": "N", "crs": "EPSG:3452"},
        }
    )
    mapped = map_rows(mapping, read_source(written(tmp_path / "a.csv", rows)), timezone=ZONE)
    assert mapped.frame["debris_kg"].tolist()[0] == pytest.approx(453.59237)
    assert mapped.frame["cleaned_at"].tolist()[0] == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert mapped.frame["lon"].tolist() == pytest.approx([WEST, 0], abs=1e-9)
    assert mapped.frame["lat"].tolist() == pytest.approx([SOUTH, 0], abs=1e-9)
    assert mapped.rejected["reason"].tolist() == ["debris_kg is not a number; lon is not a number"]
    assert any("3 come without a clock; 12:00 is assumed" in step for step in mapped.steps)
    few = mapping.model_copy(update={"columns": {"cleaning_id": mapping.columns["cleaning_id"]}})
    with pytest.raises(InvalidInputError, match="cleaned_at"):
        map_rows(few, read_source(tmp_path / "a.csv"), timezone=ZONE)
    with pytest.raises(ImportSourceError, match="lacks the column"):
        map_rows(RUNS, read_source(tmp_path / "a.csv"), timezone=ZONE)


def test_points_may_be_written_as_text(tmp_path: Path) -> None:
    said = ["POINT (-90.07 29.95)", "1 Canal St (29.95, -90.07)", "LINESTRING (0 0, 1 1)", "here", ""]
    rows = [["Id", "At"], *([str(row), text] for row, text in enumerate(said))]
    mapping = make_mapping(
        {
            "version": 1,
            "table": "buildings",
            "columns": {"building_id": {"column": "Id"}},
            "place": {"shape": "At"},
        }
    )
    mapped = map_rows(mapping, read_source(written(tmp_path / "a.csv", rows)), timezone=ZONE)
    assert mapped.frame["lon"].tolist()[:2] == [-90.07, -90.07]
    assert mapped.frame["lat"].isna().tolist() == [False, False, True]
    assert mapped.rejected["reason"].tolist() == ["the shape is not a point", "the place cannot be read"]


# Conservation

CALLS = make_mapping(
    {
        "version": 1,
        "table": "calls",
        "columns": {
            "call_id": {"column": "id"},
            "agency": {"column": "agency", "words": {"e": "EMS"}},
            "opened_at": {"column": "opened", "style": "us"},
            "self_initiated": {"column": "self", "words": {"y": "true", "n": "false"}},
            "location_precision": {"constant": "block"},
        },
        "place": {"x": "x", "y": "y"},
    }
)
CALLS_HEADING = ["id", "agency", "opened", "self", "x", "y"]
dirt = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
cells = st.tuples(
    st.sampled_from(["1", "2", "3", ""]) | dirt,
    st.sampled_from(["e", "EMS", "Police", "sheriff"]) | dirt,
    st.sampled_from(["1/2/2026 10:00", "3/8/2026 2:30", "11/1/2026 1:30", "1/2/2026", ""]) | dirt,
    st.sampled_from(["y", "N", "", "?"]) | dirt,
    st.sampled_from([str(WEST), "0", "-90.07", "90.07", "nan", "1e999", ""]) | dirt,
    st.sampled_from([str(SOUTH), "0", "29.95", "n/a", "-inf", ""]) | dirt,
).map(list)
ragged = st.tuples(cells, st.integers(0, 6), st.lists(dirt, max_size=2)).map(
    lambda row: row[0][: row[1]] + row[2]
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(cells | ragged, max_size=9),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_accepted_and_quarantined_are_what_was_read(
    city: City, rows: list[list[str]], delimiter: str, encoding: str
) -> None:
    path = city.path.parent / "dirt.csv"
    written(path, [CALLS_HEADING, *rows], delimiter=delimiter, encoding=encoding)
    sign = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}[delimiter]
    source = read_source(path, make_mapping({**CALLS.model_dump(), "file": {"delimiter": sign}}).file)
    said = [row for row in rows if any(cell.strip() for cell in row)]
    assert len(source) + source.remarks == len(said)
    told = preview(CALLS, source, city, retrieved=TAKEN)
    assert told.accepted + len(told.quarantined) == told.read == len(source)
    assert (told.quarantined["reason"] != "").all()
    good = told.head
    assert good["call_id"].is_unique
    assert good["agency"].isin(["EMS", "Police", "Fire"]).all()


@settings(max_examples=80)
@given(st.binary(max_size=60) | st.text("ab,;\n\r\"'\t =", max_size=40).map(str.encode))
def test_any_bytes_are_read_whole_or_refused(city_folder: Path, held: bytes) -> None:
    path = city_folder.parent / "bytes.csv"
    path.write_bytes(held)
    try:
        source = read_source(path)
    except ImportSourceError:
        return
    assert len(set(source.columns)) == len(source.columns) == source.texts.shape[1]
    assert len(source.wide) == len(source.texts) <= held.count(b"\n") + held.count(b"\r") + 1


@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@example(
    [["1", "e", "1/2/2026 10:00", "y", str(WEST), str(SOUTH)]] * 2 + [["2", "?", "noon", "?", "0", "-inf"]]
)
@given(st.lists(cells, min_size=1, max_size=6))
def test_the_reader_does_what_the_preview_said(city: City, rows: list[list[str]]) -> None:
    sound = [["s1", "e", "1/2/2026 10:00", "y", str(WEST), str(SOUTH)]]
    source = read_source(written(city.path.parent / "rows.csv", [CALLS_HEADING, *rows, *sound]))
    told = preview(CALLS, source, city, retrieved=TAKEN)
    if told.faults:
        with pytest.raises(ImportSourceError):
            apply(CALLS, source, city.path, ABOUT)
        return
    applied = apply(CALLS, source, city.path, ABOUT)
    after = City.open(city.path)
    assert (after.version, after.account("calls")) == (applied.version, applied.account)
    assert after.account("calls").reasons == told.reasons
    assert after.account("calls").read == told.read
    pd.testing.assert_frame_equal(after.table("calls"), told.head)
    pd.testing.assert_frame_equal(after.quarantine("calls"), told.quarantined)


# Taking a table into a folder


@pytest.fixture
def own_city(city_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(city_folder, tmp_path / "cities" / "city"))


def test_other_tables_keep_their_bytes_and_nothing_is_left_over(own_city: Path, tmp_path: Path) -> None:
    before = content(own_city)
    sound = ["1", "M1", "basic", "3/13/2026", "10:05 PM", "", "Doe"]
    torn = ["2", "M1", "basic", "3/13/2026", "25:00", "", "Doe"]
    applied = apply(RUNS, runs(tmp_path, [sound, torn]), own_city, ABOUT)
    after = content(own_city)
    assert {name for name in after if before.get(name) != after[name]} == {
        "manifest.json",
        "tables/unit_responses.parquet",
        "quarantine/unit_responses.parquet",
    }
    assert before.keys() <= after.keys()
    assert (applied.account.read, applied.account.accepted, applied.others) == (2, 1, {})
    told = City.open(own_city).source("unit_responses")
    assert (told.source, told.licence, told.period, told.retrieved) == (
        "the city's CAD",
        "none",
        "2026",
        "2026-11-01",
    )
    assert any("assigned_at from Date and Clock" in step for step in told.steps)
    assert [path.name for path in own_city.parent.iterdir()] == ["city"]
    again = apply(RUNS, runs(tmp_path, [sound]), own_city, ABOUT)
    assert again.account.quarantined == 0
    assert not (own_city / "quarantine" / "unit_responses.parquet").exists()


def test_rows_of_other_tables_that_were_lost_by_it_are_told(tmp_path: Path) -> None:
    ids = ["B1", "B2"]
    basins = pd.DataFrame(
        {"basin_id": ids, "kind": "curb", "placed": "survey", "lon": [WEST] * 2, "lat": [SOUTH] * 2}
    )
    folder = write_city(tmp_path / "city", {**small_tables(), "basins": basins})
    cleanings = pd.DataFrame({"cleaning_id": ["1", "2"], "basin_id": ids, "cleaned_at": "2026-05-01 09:00"})
    (tmp_path / "c.csv").write_bytes(safe_csv(cleanings))
    columns = {name: {"column": name} for name in cleanings}
    mapping = make_mapping({"version": 1, "table": "cleanings", "columns": columns})
    early = ABOUT.model_copy(update={"retrieved": date(2026, 4, 1)})
    with pytest.raises(ImportSourceError, match="after 2026-04-01"):
        apply(mapping, read_source(tmp_path / "c.csv"), folder, early)
    assert apply(mapping, read_source(tmp_path / "c.csv"), folder, ABOUT).account.accepted == 2
    (tmp_path / "b.csv").write_bytes(safe_csv(basins.head(1)))
    template = template_mapping("basins")
    kept = {name: given for name, given in template.columns.items() if name in basins}
    fewer = template.model_copy(update={"columns": kept})
    before = content(folder)
    source = read_source(tmp_path / "b.csv")
    rehearsed = apply(fewer, source, folder, ABOUT, rehearse=True)
    assert rehearsed.others == {"cleanings": (2, 1)}
    assert content(folder) == before
    assert apply(fewer, source, folder, ABOUT) == rehearsed
    assert City.open(folder).version == rehearsed.version


def test_what_cannot_be_taken_leaves_the_folder_as_it_was(own_city: Path, tmp_path: Path) -> None:
    before = content(own_city)
    with pytest.raises(ImportSourceError, match="none of the 1 rows can be used; the commonest"):
        apply(RUNS, runs(tmp_path, [["1", "M1", "?", "3/13/2026", "10:05 PM", "", ""]]), own_city, ABOUT)
    feet = [[str(row), "e", "", "", 3680910 + row, 529514] for row in range(8)]
    source = read_source(written(tmp_path / "a.csv", [CALLS_HEADING, *feet]))
    with pytest.raises(ImportSourceError, match="not degrees"):
        apply(CALLS, source, own_city, ABOUT)
    nodes = pd.DataFrame({"node": [100, 101], "lon": [WEST] * 2, "lat": [SOUTH] * 2})
    (tmp_path / "n.csv").write_bytes(safe_csv(nodes))
    with pytest.raises(ValueError, match="cannot be opened"):
        apply(template_mapping("street_nodes"), read_source(tmp_path / "n.csv"), own_city, ABOUT)
    assert content(own_city) == before
    assert [path.name for path in own_city.parent.iterdir()] == ["city"]


# Templates and suggestions


@pytest.mark.parametrize("table", TABLES)
def test_a_template_explains_itself_and_is_read_back(tmp_path: Path, table: str, city: City) -> None:
    path = tmp_path / f"{table}.csv"
    path.write_bytes(template(table))
    source = read_source(path)
    assert source.columns == tuple(TABLES[table].columns)
    assert (len(source), source.remarks) == (0, 1)
    assert template_mapping(table).lacks == ()
    assert suggest_mapping(source, table, city.profile).mapping == template_mapping(table)


@pytest.mark.parametrize("table", ["streets", "street_nodes", "neighborhoods", "calls", "posts", "hospitals"])
def test_a_filled_template_gives_the_table(tmp_path: Path, table: str, city: City) -> None:
    frame = pd.DataFrame(small_tables()[table])
    if "geometry" in frame:
        frame["geometry"] = shapely.to_wkt(frame["geometry"].to_numpy(), rounding_precision=-1)
    filled = safe_csv(frame.reindex(columns=[*TABLES[table].columns])).split(b"\n", 1)[1]
    (tmp_path / "a.csv").write_bytes(template(table) + filled)
    told = preview(template_mapping(table), read_source(tmp_path / "a.csv"), city, retrieved=TAKEN, head=100)
    assert (told.accepted, told.faults, dict(told.reasons)) == (len(frame), (), {})
    pd.testing.assert_frame_equal(told.head, city.table(table))


def test_a_dispatch_export_is_recognised(tmp_path: Path, city: City) -> None:
    heading = [
        "IncidentNumber",
        "Unit",
        "Level of care",
        "Incident Date",
        "Time Assigned",
        "On Scene",
        "At Hospital",
    ]
    rows = [
        ["1", "M1", "Paramedic", "1/31/2026", "9:05 PM", "9:15 PM", ""],
        ["2", "M2", "Basic", "2/1/2026", "23:55", "0:05", "0:40"],
    ]
    source = read_source(written(tmp_path / "a.csv", [heading, *rows]))
    suggestion = suggest_mapping(source, "unit_responses", city.profile)
    assert suggestion.mapping.lacks == ()
    named = {name: (given.column, given.clock_column) for name, given in suggestion.mapping.columns.items()}
    assert named == {
        "call_id": ("IncidentNumber", None),
        "unit_id": ("Unit", None),
        "unit_type": ("Level of care", None),
        "assigned_at": ("Incident Date", "Time Assigned"),
        "on_scene_at": ("Incident Date", "On Scene"),
        "at_hospital_at": ("Incident Date", "At Hospital"),
    }
    assert suggestion.mapping.columns["unit_type"].words == {"Basic": "BLS", "Paramedic": "ALS"}
    told = preview(suggestion.mapping, source, city, retrieved=TAKEN)
    assert told.accepted == 2
    assert told.head["at_hospital_at"].tolist()[1] == pd.Timestamp("2026-02-02 00:40", tz=ZONE)
    assert sum("are of the next day" in step for step in told.steps) == 2


def test_state_plane_feet_units_and_doubtful_days_are_recognised(tmp_path: Path, city: City) -> None:
    lon, lat = WEST + np.arange(4) * 0.001, np.full(4, SOUTH)
    x, y = to_metres(lon, lat, 3452)
    assert suggest_crs(pd.Series(x.astype(str)), pd.Series(y.astype(str)), city.profile)[0] == "EPSG:3452"
    assert suggest_crs(pd.Series(["1"]), pd.Series(["2"]), city.profile) == ()
    rows = [[f"C{row}", "B1", "01/02/2026 10:00", "12", x[row], y[row], "full"] for row in range(4)]
    heading = ["Work order", "Basin ID", "Date cleaned", "Debris (lbs)", "X", "Y", "Condition found"]
    suggestion = suggest_mapping(
        read_source(written(tmp_path / "a.csv", [heading, *rows])), "cleanings", city.profile
    )
    mapping: TableMapping = suggestion.mapping
    assert mapping.place is not None
    assert (mapping.place.x, mapping.place.y, mapping.place.crs) == ("X", "Y", "EPSG:3452")
    assert (mapping.columns["debris_kg"].unit, mapping.columns["cleaned_at"].style) == ("lb to kg", "us")
    assert mapping.columns["found"].words == {"full": "clogged"}
    assert any("could be day/month/year" in note for note in suggestion.notes)
