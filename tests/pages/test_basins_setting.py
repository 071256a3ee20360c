"""The setting of the page on catch basins goes into an address and comes back from it."""

from hypothesis import given
from hypothesis import strategies as st

from pages.parts.basins_setting import GOALS, HOURS, MOST_DAYS, MOST_FLOOR, MOST_TRUCKS, SHAPES, Setting

USUAL = Setting(depth_in=4.0, hours=3.0)
tenths = st.integers(0, 300).map(lambda n: n / 10)
hundredths = st.integers(0, 300).map(lambda n: n / 100)


@given(
    st.builds(
        Setting,
        depth_in=tenths,
        hours=st.sampled_from(HOURS),
        shape=st.sampled_from(SHAPES),
        first_in=hundredths,
        later_in=hundredths,
        out=st.lists(
            st.tuples(st.text(st.characters(exclude_characters="|:"), min_size=1), st.integers(0, 100)),
            max_size=3,
        ).map(tuple),
        trucks=st.integers(0, MOST_TRUCKS),
        days=st.integers(0, MOST_DAYS),
        goal=st.sampled_from(GOALS),
        fair=st.integers(0, 20).map(lambda n: n / 10),
        floor=st.integers(0, MOST_FLOOR),
    )
)
def test_an_address_is_a_setting(setting: Setting) -> None:
    found, wrong = USUAL.with_address(setting.to_address())
    assert (found, wrong) == (setting, [])


def test_what_cannot_be_read_is_named_and_the_usual_stays() -> None:
    said = {
        "storm": "a lot",
        "pumps": "9-9",
        "crews": "-1x4",
        "fair": "200-1",
        "out": "Broadmoor",
        "goal": "fame",
        "city": "demo",
    }
    found, wrong = USUAL.with_address(said)
    assert found == USUAL
    assert wrong == ["storm", "pumps", "out", "crews", "fair", "goal"]


def test_parts_that_are_well_are_taken() -> None:
    found, wrong = USUAL.with_address({"storm": "9.5in-2h-early", "crews": "many"})
    assert (found.depth_in, found.hours, found.shape) == (9.5, 2.0, "early")
    assert found.trucks == USUAL.trucks
    assert wrong == ["crews"]
