"""Make the demo city: a synthetic New Orleans, offline, the same bytes for the same seed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from data.demo import tables
from data.demo.ground import draw_ground
from data.demo.places import draw_neighborhoods, hospitals_table, posts_table
from data.demo.streets import lay_streets
from data.folder import CityFolderWriter
from data.profile import profile_path

CAVEAT = "Not real: a made-up city for trying Crescent out. Draw no conclusion about New Orleans from it."
LICENCE = "MIT, as Crescent itself"


def make_demo(out: Path, seed: int, progress: Callable[[str, float], None] | None = None) -> None:
    """Write the demo city.

    Parameters
    ----------
    out
        Where the city folder shall stand; an older city folder there is replaced.
    seed
        The same seed makes the same bytes.
    progress
        Told in plain words what is being done, and the share that is done, 0 to 1.

    Raises
    ------
    InvalidInputError
        There is something at ``out`` that is no city folder.
    """
    tell = progress or (lambda _what, _share: None)
    source = f"Synthetic demo city, seed {seed}"

    with CityFolderWriter(
        out, profile_path("new-orleans"), maker="demo", seed=seed, synthetic=True
    ) as writer:

        def write(
            name: str, frame: pd.DataFrame, *, period: str = "2025", steps: tuple[str, ...] = ()
        ) -> None:
            writer.write_table(
                name, frame, source=source, period=period, licence=LICENCE, caveats=(CAVEAT,), steps=steps
            )

        tell("Drawing river, lake and neighborhoods", 0.0)
        ground = draw_ground()
        hoods = draw_neighborhoods(ground)
        write("water", tables.water_table(ground))
        write("neighborhoods", tables.neighborhoods_table(hoods))
        write("districts", tables.districts_table(hoods))
        tell("Laying streets", 0.05)
        network = lay_streets(ground, np.random.default_rng([seed, 1]))
        streets, nodes = tables.street_tables(network)
        write("streets", streets)
        write("street_nodes", nodes)
        write("posts", posts_table())
        write("hospitals", hospitals_table().drop(columns="weight"))
        tell("Putting the city in its place", 0.98)
        writer.finish()
    tell("The demo city is ready", 1.0)
