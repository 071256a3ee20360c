"""What came back: uploaded work orders, what they teach, and cleanings to question before paying."""

import hashlib
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from errors import InvalidInputError
from models.contractor import ContractorCheck, FalseShare, audit_sample, check_contractor
from models.returned_work import LEFT_BLANK, as_cleanings, read_csv, read_returned, template_csv
from models.returned_work import Returned as ReturnedRows
from pages.parts.basins_inputs import BasinsInputs, Returned
from pages.parts.basins_map import Layers
from pages.parts.basins_routes import routes_of
from pages.parts.basins_scene import Scene, csv_button, percent, sources_words, table_height
from pages.parts.basins_states import city_share, state_classes
from pages.parts.basins_states import layers as state_layers
from pages.parts.figures import Figure, big_figures
from pages.parts.map_layers import PointClass
from pages.parts.notes import note

AUDIT_SEED, AUDIT_SHARE = 20_251_122, 0.05
NOT_PROVEN = "A reason is a question to ask, not a finding: records alone prove nothing."


@dataclass(frozen=True, eq=False)
class Upload:
    """One file that was uploaded in this session: its rows, or why it could not be read."""

    name: str
    key: str
    rows: ReturnedRows | None
    fault: str = ""


def upload_of(scope: str) -> Upload | None:
    """Give the file of this session, None where there is none."""
    upload: Upload | None = st.session_state.get(f"{scope}.upload")
    return upload


def returned_of(scope: str) -> Returned | None:
    """Give what the states can learn from; None where nothing was accepted."""
    upload = upload_of(scope)
    if upload is None or upload.rows is None or not len(upload.rows.accepted):
        return None
    return Returned(upload.key, upload.rows.accepted)


def layers(scene: Scene, *, scope: str) -> Layers:
    """Show states as they are now, and the basins of the upload on top."""
    shown = state_layers(scene, scope=scope)
    returned = returned_of(scope)
    if returned is None or shown.kind is None:
        return shown
    kind = shown.kind.copy()
    rows = pd.Index(scene.inputs.basins["basin_id"]).get_indexer(pd.Index(returned.accepted["basin_id"]))
    kind[rows[rows >= 0]] = len(shown.classes)
    colour = "#F0E442" if scene.theme.dark else "#CC79A7"
    return Layers(
        kind=kind,
        classes=[*state_classes(scene), PointClass("Came back", colour, 3.6, "came back", thinned=False)],
    )


def view(scene: Scene, *, scope: str) -> None:
    """Show the upload, what it taught, and the contractor check."""
    came, question = st.tabs(["Work orders", "Question before paying"])
    with came:
        _upload(scene, scope)
    with question:
        _contractor(scene, scope)


def _upload(scene: Scene, scope: str) -> None:
    key = f"{scope}.file"
    upload = upload_of(scope)
    if upload is None:
        st.markdown(
            "**Upload what the crews filled in:** every row is accepted, or set aside with its reason."
        )
    st.file_uploader(
        "Work orders (CSV)",
        type="csv",
        key=key,
        on_change=_take,
        args=(scene.inputs, scope),
        max_upload_size=20,
    )
    if upload is None:
        st.download_button(
            "An empty file to fill in",
            template_csv(),
            "returned-work.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/edit_note:",
            key=f"{scope}.template",
        )
        return
    if upload.rows is None:
        st.error(f"{upload.name}: {upload.fault}", icon=":material/report:")
        return
    rows = upload.rows
    blank = f" ({rows.blank:,} left blank: nobody has been there)" if rows.blank else ""
    st.markdown(
        f"**{upload.name}: {rows.read:,} rows, {len(rows.accepted):,} accepted, {len(rows.quarantined):,} "
        f"set aside**{blank}."
    )
    if len(rows.accepted):
        _learned(scene, rows.accepted)
    if len(rows.quarantined):
        # What nobody has done yet comes after what must be mended.
        blank_last = rows.quarantined.sort_values(
            "reason", key=lambda reasons: reasons.eq(LEFT_BLANK), kind="stable"
        )
        st.dataframe(
            blank_last[["row", "reason"]],
            hide_index=True,
            row_height=25,
            height=table_height(len(blank_last), most=3),
            column_config={
                "row": st.column_config.NumberColumn("Row", width=44),
                "reason": st.column_config.TextColumn("Set aside because", width=300),
            },
        )
    left, right = st.columns(2, gap="small")
    if len(rows.quarantined):
        with left:
            csv_button(
                "Set aside (CSV)", rows.quarantined, f"{scene.city.slug}-set-aside", key=f"{scope}.set-aside"
            )
    right.button(
        "Forget this file",
        on_click=_forget,
        args=(scope,),
        icon=":material/delete:",
        width="stretch",
        key=f"{scope}.forget",
    )


def _learned(scene: Scene, accepted: pd.DataFrame) -> None:
    low, mean, high = city_share(scene.known)
    found = accepted["found"].value_counts()
    told = ", ".join(f"{number:,} {words}" for words, number in found.items())
    clogged = int(found.get("clogged", 0))
    big_figures(
        [
            Figure(
                "Found clogged",
                f"{clogged:,}",
                f"of {len(accepted):,} basins",
                f"As the crews wrote it: {told}.",
            ),
            Figure(
                "Clogged now, all basins",
                percent(mean),
                f"{percent(low)} to {percent(high)} (90 %)",
                "Learned from the city's records and this file together.",
            ),
        ]
    )
    note(
        f"Found: {told}. The states have learned from this file in this session only; to keep it, add it to "
        "the table of cleanings and import the city again."
    )


def _take(inputs: BasinsInputs, scope: str) -> None:
    file = st.session_state[f"{scope}.file"]
    if file is None:
        return
    st.session_state[f"{scope}.upload"] = read_upload(inputs, file.name, file.getvalue())


def _forget(scope: str) -> None:
    st.session_state.pop(f"{scope}.upload", None)


def read_upload(inputs: BasinsInputs, name: str, content: bytes) -> Upload:
    """Read one file; what cannot be read is said, nothing is raised."""
    key = hashlib.sha256(content).hexdigest()[:12]
    try:
        rows = read_returned(
            read_csv(content),
            basin_ids=inputs.basins["basin_id"],
            as_of=pd.Timestamp.now("UTC"),
            timezone=inputs.city.profile.timezone,
        )
    except InvalidInputError as error:
        return Upload(name, key, None, str(error))
    return Upload(name, key, rows)


@st.cache_resource(show_spinner="Checking cleanings …", max_entries=6)
def _check(
    _scene: Scene,
    version: str,  # noqa: ARG001 -- a key
    _work: pd.DataFrame,
    key: str,  # noqa: ARG001 -- a key
    _orders: pd.DataFrame | None,
) -> ContractorCheck:
    city = _scene.city
    return check_contractor(
        _work,
        _scene.inputs.basins,
        city.table("service_requests") if city.has("service_requests") else None,
        epsg=city.profile.utm_epsg,
        types=_scene.rules.request_types,
        orders=_orders,
    )


def _contractor(scene: Scene, scope: str) -> None:
    city, returned = scene.city, returned_of(scope)
    has = city.has("cleanings")
    if not has and returned is None:
        st.info(f"{city.missing('cleanings')} Or upload returned work beside.", icon=":material/upload_file:")
        return
    options = (["On record"] if has else []) + (["This session's file"] if returned is not None else [])
    chosen = options[0]
    if len(options) > 1:
        chosen = st.segmented_control(
            "Cleanings",
            options,
            default=options[0],
            required=True,
            key=f"{scope}.which",
            label_visibility="collapsed",
        )
    if chosen == "On record" or returned is None:
        work, key, orders = city.table("cleanings"), "", None
    else:
        found = routes_of(scene, scope)
        orders = None if found is None else scene.inputs.basins.iloc[found.basins][["basin_id"]]
        work, key = as_cleanings(returned.accepted), f"{returned.key}.{0 if found is None else id(found)}"
    check = _check(scene, city.version, work, key, orders)
    strong = int(check.listed["strong"].sum())
    st.markdown(
        f"**Ask about {strong:,} of {len(work):,} cleanings before paying;** {len(check.listed) - strong:,} "
        "more have a hint."
    )
    _audit(check.audit)
    _listed(scene, check, scope)
    _sample(scene, work, scope)
    told = [NOT_PROVEN.rstrip("."), *check.notes, sources_words(city, ("cleanings",))]
    note(". ".join(words for words in told if words))


def _audit(audit: FalseShare) -> None:
    if not audit.audited:
        note("None was audited: how many are false cannot be told. Draw a sample below and look again.")
        return
    big_figures(
        [
            Figure(
                "Found clogged by audit",
                percent(audit.mean),
                f"{percent(audit.low)} to {percent(audit.high)} (90 %)",
                f"{audit.false:,} of {audit.audited:,} audited: left as it was, filled again, or misjudged. "
                f"Holds for all {audit.of:,} if the audited were drawn at random.",
            ),
            Figure(
                "Audited",
                f"{audit.audited:,}",
                f"of {audit.of:,} cleanings",
                "Looked at again within 30 days.",
            ),
        ]
    )


def _listed(scene: Scene, check: ContractorCheck, scope: str) -> None:
    column = st.column_config
    table = check.listed[["cleaning_id", "crew", "strong", "reasons", "basin_id", "cleaned_at"]]
    st.dataframe(
        table,
        hide_index=True,
        row_height=25,
        height=table_height(len(table), most=5),
        column_config={
            "cleaning_id": column.TextColumn("Cleaning", width=76, pinned=True),
            "crew": column.TextColumn("Crew", width=76),
            "strong": column.CheckboxColumn(
                "Ask", width=40, help="A reason that needs an answer; else only a hint."
            ),
            "reasons": column.TextColumn("Why", width=420),
            "basin_id": column.TextColumn("Basin", width=70),
            "cleaned_at": column.DatetimeColumn("When", format="M/D/YY HH:mm", width=104),
        },
    )
    left, right = st.columns(2, gap="small")
    with left:
        csv_button("Questions (CSV)", check.listed, f"{scene.city.slug}-questions", key=f"{scope}.questions")
    with right:
        csv_button("By crew (CSV)", check.crews, f"{scene.city.slug}-crews", key=f"{scope}.crews")


def _sample(scene: Scene, work: pd.DataFrame, scope: str) -> None:
    if not len(work):
        return
    with st.popover("Draw an audit sample", icon=":material/casino:", width="stretch"):
        n = st.number_input(
            "Cleanings to look at again",
            1,
            len(work),
            max(1, round(AUDIT_SHARE * len(work))),
            key=f"{scope}.audit",
        )
        ids = audit_sample(work["cleaning_id"].astype(str).tolist(), int(n), seed=AUDIT_SEED)
        drawn = work[work["cleaning_id"].astype(str).isin(ids)][["cleaning_id", "basin_id", "cleaned_at"]]
        csv_button("The sample (CSV)", drawn, f"{scene.city.slug}-audit", key=f"{scope}.sample")
        note(f"Each with the same chance, seed {AUDIT_SEED}: the same number draws the same cleanings.")
