"""Put the rows of a city's own file into its folder: a new version beside the old one, swapped in whole."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.city import City
from data.folder import CACHE_FOLDER, PROFILE_FILE, QUARANTINE_FOLDER, CityFolderWriter
from data.manifest import MANIFEST_FILE
from data.mapping import TableMapping
from data.mapping_cells import SourceTable
from data.mapping_rows import About, map_rows, preview
from data.quarantine import TableAccount
from errors import Faults, ImportSourceError


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A table that was taken into a city folder, or would be.

    Attributes
    ----------
    path
        The city folder.
    version
        Its new version.
    account
        The new table's rows: read, accepted, quarantined.
    others
        Tables that were not touched but of whose rows others are accepted now than before, such as cleanings
        whose basins went: accepted before, and now.
    """

    path: Path
    version: str
    account: TableAccount
    others: Mapping[str, tuple[int, int]]


class CityFolderUpdate(CityFolderWriter):
    """Write a new version of a city folder: what is not written anew keeps its bytes and its source.

    The cache is left behind: what is in it was derived from the old version.

    Parameters
    ----------
    folder
        The city folder, which must open.
    """

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        super().__init__(
            folder,
            folder / PROFILE_FILE,
            maker=manifest["maker"],
            seed=manifest["seed"],
            synthetic=manifest["synthetic"],
        )
        self._manifest = manifest
        try:
            shutil.copytree(folder, self._folder, dirs_exist_ok=True, ignore=_left_behind(folder))
        except BaseException:
            self.discard()
            raise

    def forget(self, name: str) -> None:
        """Drop what was turned away when a table was written before."""
        (self._folder / QUARANTINE_FOLDER / f"{name}.parquet").unlink(missing_ok=True)

    def open(self) -> City:
        """Open the new version where it is being written, as every reader will.

        Raises
        ------
        CityFolderError
            It cannot be opened; the old version stays.
        """
        self._write_manifest()
        return City.open(self._folder)


def _left_behind(folder: Path) -> Callable[[str, list[str]], set[str]]:
    """Name what lies at the top of the folder and is not copied."""
    return lambda where, _: {CACHE_FOLDER, MANIFEST_FILE} if Path(where) == folder else set()


def apply(
    mapping: TableMapping, source: SourceTable, folder: Path, about: About, *, rehearse: bool = False
) -> Applied:
    """Take the rows of a file into a city folder as one table, in the place of the rows it had.

    The new version is opened and checked before it is swapped in; until then, and on any error, the old
    version stays as it is. Other tables keep their bytes.

    Parameters
    ----------
    mapping
        How the file becomes the table.
    source
        The file, whole, from `data.mapping_source.read_source`.
    folder
        The city folder.
    about
        What the manifest is to say.
    rehearse
        Do everything but the swap: to see beforehand which rows of other tables would be lost by it.

    Raises
    ------
    CityFolderError
        The folder cannot be opened, as it is or with the new table.
    ImportSourceError
        The table as a whole is at fault, or none of its rows can be used.
    InvalidInputError
        The mapping lacks needed columns.
    """
    before = City.open(folder)
    faults = Faults()
    faults.extend(preview(mapping, source, before, retrieved=about.retrieved).faults)
    faults.raise_as(ImportSourceError, f"{source.name} cannot become the table {mapping.table}")
    mapped = map_rows(mapping, source, timezone=before.profile.timezone)
    with CityFolderUpdate(folder) as update:
        update.forget(mapping.table)
        update.write_table(
            mapping.table,
            mapped.frame,
            source=about.source,
            period=about.period,
            licence=about.licence,
            retrieved=about.retrieved.isoformat(),
            caveats=about.caveats,
            rejected=mapped.rejected,
            steps=mapped.steps,
        )
        after = update.open()
        if not rehearse:
            update.finish()
    return Applied(
        path=folder,
        version=after.version,
        account=after.account(mapping.table),
        others={
            name: (was, now)
            for name in before.tables
            if name != mapping.table
            and (was := before.account(name).accepted) != (now := after.account(name).accepted)
        },
    )
