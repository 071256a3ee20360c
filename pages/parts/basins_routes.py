"""Routes and orders: truck-days searched beside the page, one on the map, and sheets to take along."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time

import numpy as np
import numpy.typing as npt
import streamlit as st

from data.profile_drainage import CrewPlace
from models.routes import Crews, Routes, Stops, drives, plan_routes, stop_seconds
from models.work_orders import (
    KG_PER_LB,
    WorkOrders,
    left_out_csv,
    make_work_orders,
    what_to_bring,
    work_days,
    work_orders_csv,
    work_orders_geojson,
)
from pages.parts.basins_clean import warn_by_rule
from pages.parts.basins_map import Layers
from pages.parts.basins_plan import clean_plan
from pages.parts.basins_scene import Scene, count, table_height
from pages.parts.basins_setting import Setting
from pages.parts.figures import Figure, big_figures
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.map_layers import HIDDEN, MapRoute, PointClass, RouteStop
from pages.parts.notes import note
from pages.parts.work_orders import work_order_sheets

IntArray = npt.NDArray[np.int64]
SHIFT_STARTS = time(7, 0)
SEARCH_SHARE = 0.9
"""Of the progress bar; the rest is for drawing the drives."""
ORDER_COLUMNS = ("basin_id", "street", "kind", "lon", "lat")


@dataclass(frozen=True, eq=False)
class FoundRoutes:
    """Truck-days, and for what they were searched.

    Attributes
    ----------
    asked
        City version, knowledge of the states, and setting: beside others the routes are stale.
    basins
        (n_stops,) numbers of the basins, in the order of the stops.
    stops, routes, lines
        What was asked of the search, what it found, and the drives of each truck-day in degrees.
    """

    asked: tuple[str, str, Setting]
    basins: IntArray
    stops: Stops
    routes: Routes
    lines: Mapping[int, npt.NDArray[np.object_]]


def layers(scene: Scene, *, scope: str) -> Layers:
    """Show the chosen truck-day with its numbered stops, all other basins of the list as points."""
    kind = np.full(len(scene.inputs.basins), HIDDEN, dtype=np.uint8)
    colour = "#FFB84D" if scene.theme.dark else "#D55E00"
    classes = [PointClass("On the list", colour, 2.6, "on the list", thinned=False)]
    found = routes_of(scene, scope)
    if found is None:
        kind[clean_plan(scene).basins] = 0
        return Layers(kind=kind, classes=classes)
    kind[found.basins] = 0
    number = _chosen(found, scope)
    if number is None:
        return Layers(kind=kind, classes=classes, stale=is_stale(scene, found))
    day = found.routes.truck_days[number]
    own = found.basins[day.basins]
    kind[own] = HIDDEN
    return Layers(
        kind=kind,
        classes=classes,
        routes=[_route(scene, found, number)],
        stale=is_stale(scene, found),
    )


def _route(scene: Scene, found: FoundRoutes, number: int) -> MapRoute:
    import shapely

    day, inputs = found.routes.truck_days[number], scene.inputs
    way = shapely.get_coordinates(found.lines[number])
    own = found.basins[day.basins]
    stops = [
        RouteStop(
            float(inputs.lon[basin]),
            float(inputs.lat[basin]),
            str(place),
            f"{place}. {scene.basin_label(int(basin))}",
            str(basin),
        )
        for place, basin in enumerate(own, start=1)
    ]
    for kind, mark in (("depot", "D"), ("dump", "L")):
        place = _place(scene, kind)
        if place is not None:
            stops.append(RouteStop(place.lon, place.lat, mark, f"{place.name} ({kind})"))
    return MapRoute(way[:, 0], way[:, 1], "#56B4E9" if scene.theme.dark else "#0072B2", day.name, stops)


def view(scene: Scene, *, scope: str) -> None:
    """Offer the search, watch it, and show what it found."""
    key = f"{scope}.routes"
    job: Job[FoundRoutes] | None = st.session_state.get(key)
    plan = clean_plan(scene)
    if job is not None and job.running:
        st.button(
            "Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch", key=f"{key}.stop"
        )
        watch_job(key, "Searching routes …")
        return
    found = routes_of(scene, scope)
    stale = found is not None and is_stale(scene, found)
    if found is None or stale:
        _offer(scene, plan.basins, key, job, stale=stale)
    if found is not None:
        _show(scene, found, scope)


def _offer(scene: Scene, basins: IntArray, key: str, job: Job[FoundRoutes] | None, *, stale: bool) -> None:
    stops, depot = len(basins), _place(scene, "depot")
    st.markdown(
        f"**{scene.setting.trucks} trucks, {scene.setting.days} days: {stops:,} basins to route.**"
        if stops
        else "**No basin to route:** raise Trucks and Days on the left."
    )
    if stale:
        st.warning("The routes below are for another storm, list or crew.", icon=":material/history:")
    if job is not None and job.error and job.error != "stopped":
        st.error(f"No routes: {job.error}", icon=":material/report:")
    st.button(
        "Find routes",
        on_click=_start,
        args=(scene, basins, key),
        icon=":material/route:",
        type="primary",
        width="stretch",
        disabled=not stops or depot is None,
        key=f"{key}.start",
    )
    warn_by_rule(scene)
    crew = scene.rules.crew
    note(
        f"{crew.shift_h:g} h shifts, {crew.service_min:g} min a basin, {crew.debris_kg / KG_PER_LB:,.0f} lb "
        f"each, to the dump at {crew.truck_capacity_kg / KG_PER_LB:,.0f} lb; streets dry, without traffic. "
        "Depot and dump are assumptions: see their sources.",
        help_text=" ".join([crew.source, *(f"{place.name}: {place.source}" for place in scene.rules.places)]),
    )


def _start(scene: Scene, basins: IntArray, key: str) -> None:
    def work(progress: Callable[[float], None]) -> FoundRoutes:
        return find_routes(scene, basins, progress)

    st.session_state[key] = Job(work)


def find_routes(scene: Scene, basins: IntArray, progress: Callable[[float], None]) -> FoundRoutes:
    """Search the truck-days of a list, (n,) numbers of basins in its order.

    Raises
    ------
    InvalidInputError
        None of the basins can be cleaned by these crews, or there is no depot.
    SolverError
        The search ended without a plan.
    """
    progress(0.0)
    network, crew, setting = scene.city.network, scene.rules.crew, scene.setting
    n = len(basins)
    node, _ = network.snap(scene.inputs.lon[basins], scene.inputs.lat[basins])
    stops = Stops(
        node.astype(np.int64),
        np.full(n, crew.debris_kg),
        np.full(n, crew.service_min),
        # The list is in order: what comes first in it is left out last.
        np.arange(n, 0, -1, dtype=np.float64),
    )
    depot, dump = (_node(scene, kind) for kind in ("depot", "dump"))
    seconds = stop_seconds(network, stops.node, depot=depot, dump=dump)
    routes = plan_routes(
        stops,
        Crews(setting.trucks, setting.days, crew.shift_h, crew.truck_capacity_kg),
        seconds,
        apart=True,
        on_step=lambda share: progress(SEARCH_SHARE * share),
    )
    lines = {}
    for number, day in enumerate(routes.truck_days):
        if depot is not None:
            lines[number] = drives(network, stops, day, depot=depot, dump=dump)
        progress(SEARCH_SHARE + (1 - SEARCH_SHARE) * (number + 1) / len(routes.truck_days))
    return FoundRoutes((scene.city.version, scene.known.key, setting), basins, stops, routes, lines)


def routes_of(scene: Scene, scope: str) -> FoundRoutes | None:
    """Give the last routes of this city, perhaps stale; None where none were found."""
    job: Job[FoundRoutes] | None = st.session_state.get(f"{scope}.routes")
    return None if job is None or scene.city.version not in scope else job.result


def is_stale(scene: Scene, found: FoundRoutes) -> bool:
    """Say whether the routes are for another setting than the one in view."""
    return found.asked != (scene.city.version, scene.known.key, scene.setting)


def _place(scene: Scene, kind: str) -> CrewPlace | None:
    found = [place for place in scene.rules.places if place.kind == kind]
    return found[0] if found else None


def _node(scene: Scene, kind: str) -> int | None:
    place = _place(scene, kind)
    if place is None:
        return None
    node, _ = scene.city.network.snap(np.array([place.lon]), np.array([place.lat]))
    return int(node[0])


def _chosen(found: FoundRoutes, scope: str) -> int | None:
    if not found.routes.truck_days:
        return None
    number = int(st.session_state.get(f"{scope}.truck_day", 0) or 0)
    return min(number, len(found.routes.truck_days) - 1)


def _show(scene: Scene, found: FoundRoutes, scope: str) -> None:
    routes = found.routes
    planned = sum(len(day.basins) for day in routes.truck_days)
    left = (
        f"; {len(routes.left_out):,} left out: {routes.left_out[0].why}"
        if routes.left_out
        else ", none left out"
    )
    st.markdown(f"**{planned:,} basins in {len(routes.truck_days)} truck-days**{left}.")
    big_figures(
        [
            Figure(
                "Basins a truck-day",
                f"{planned / max(len(routes.truck_days), 1):.1f}",
                f"profile: {scene.rules.crew.basins_a_truck_day:g}",
                "Mean over the truck-days found, drives and trips to the dump included.",
            ),
            Figure(
                "On the road",
                f"{routes.driving_h:,.0f} h",
                f"of {routes.total_h:,.0f} h out",
                "Hours of all truck-days together.",
            ),
        ]
    )
    key = f"{scope}.truck_day"
    st.session_state[key] = _chosen(found, scope)
    first, number = st.columns([1.1, 1.6], gap="small")
    begin = first.date_input("First day", value="today", key=f"{scope}.first_day", format="MM/DD/YYYY")
    number.selectbox(
        "Truck-day on the map",
        range(len(routes.truck_days)),
        format_func=lambda at: f"{routes.truck_days[at].name}: {len(routes.truck_days[at].basins)} basins",
        key=key,
    )
    begin = begin if isinstance(begin, date) else date.today()  # noqa: DTZ011 -- a planner's own day
    orders = orders_of(scene, found, begin)
    _table(orders, st.session_state[key])
    _downloads(scene, found, orders, scope)


def orders_of(scene: Scene, found: FoundRoutes, begin: date) -> WorkOrders:
    """Write the orders from a first day on."""
    rows = scene.inputs.basins.iloc[found.basins][list(ORDER_COLUMNS)]
    blocked = scene.known.states.chance["line blocked"].mean[found.basins]
    return make_work_orders(
        found.routes,
        found.stops,
        rows,
        dates=work_days(begin, found.asked[2].days),
        shift_starts=SHIFT_STARTS,
        bring=what_to_bring(rows["kind"].tolist(), blocked),
    )


def _table(orders: WorkOrders, number: int | None) -> None:
    if number is None:
        return
    rows = orders.rows.loc[[number]]
    column = st.column_config
    st.dataframe(
        rows[["stop", "arrive", "basin_id", "street", "expected_lb", "then"]],
        hide_index=True,
        row_height=25,
        height=table_height(len(rows), most=6),
        column_config={
            "stop": column.NumberColumn("#", width=28),
            "arrive": column.TextColumn("At", width=48),
            "basin_id": column.TextColumn("Basin", width=70),
            "street": column.TextColumn("Street", width=104),
            "expected_lb": column.NumberColumn("lb", width=40, help="Debris expected."),
            "then": column.TextColumn("Then", width=90),
        },
    )


def _downloads(scene: Scene, found: FoundRoutes, orders: WorkOrders, scope: str) -> None:
    city, stem = scene.city, f"{scene.city.slug}-work-orders"
    demo = "Demo city, synthetic data. " if city.synthetic else ""
    rows = scene.inputs.basins.iloc[found.basins][list(ORDER_COLUMNS)]
    files: list[tuple[str, Callable[[], bytes], str, str, str]] = [
        (
            "Sheets (PDF)",
            lambda: work_order_sheets(
                orders,
                found.lines,
                city_name=city.name,
                synthetic=city.synthetic,
                footer=f"{demo}Data version {city.version}.",
            ),
            f"{stem}.pdf",
            "application/pdf",
            ":material/picture_as_pdf:",
        ),
        ("CSV", lambda: work_orders_csv(orders), f"{stem}.csv", "text/csv", ":material/table_view:"),
        (
            "GeoJSON",
            lambda: work_orders_geojson(orders, found.lines),
            f"{stem}.geojson",
            "application/geo+json",
            ":material/map:",
        ),
    ]
    if found.routes.left_out:
        files.append(
            (
                "Left out",
                lambda: left_out_csv(found.routes, rows),
                f"{stem}-left-out.csv",
                "text/csv",
                ":material/block:",
            )
        )
    places = st.columns([1.35, 1, 1.25, 1.1][: len(files)], gap="small")
    for place, (label, content, name, kind, icon) in zip(places, files, strict=True):
        place.download_button(
            label, content, name, kind, icon=icon, width="stretch", on_click="ignore", key=f"{scope}.{name}"
        )
    note(
        f"All {count(len(orders.rows))} stops are in each file. Drives by the network's assumed speeds, dry, "
        "without traffic. Crews fill in the CSV's blank columns and send it back."
    )
