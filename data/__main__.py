"""Make a city folder from the command line: ``python -m data demo`` or ``python -m data import``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from errors import CrescentError

Maker = Callable[[Callable[[str, float], None]], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give the exit code: 0 when the city was made, 2 when it could not be.

    Parameters
    ----------
    arguments
        The words after ``python -m data``; those of the process when left out.
    """
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        _with_progress(console, _maker(options))
        _show_account(console, options.out)
    except (CrescentError, OSError) as error:
        Console(stderr=True).print(
            f"[bold red]The city was not made.[/] {_plain(str(error))}", highlight=False
        )
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description="Make a city folder for Crescent.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="make the synthetic demo city")
    demo.add_argument("--out", type=Path, required=True, help="where the city folder shall stand")
    demo.add_argument(
        "--seed", type=int, default=504, help="the same seed makes the same city (default: 504)"
    )
    importing = commands.add_parser("import", help="import a city's own files")
    importing.add_argument("kind", choices=["nola-extract"], help="which files they are")
    importing.add_argument("source", type=Path, help="the folder that holds them")
    importing.add_argument("--out", type=Path, required=True, help="where the city folder shall stand")
    return parser


def _maker(options: argparse.Namespace) -> Maker:
    out: Path = options.out
    if options.command == "demo":
        from data.demo.maker import make_demo

        return lambda progress: make_demo(out, options.seed, progress)
    from data.importers.nola_extract import import_nola_extract

    return lambda progress: import_nola_extract(options.source, out, progress)


def _with_progress(console: Console, maker: Maker) -> None:
    columns = (TextColumn("{task.description:<34}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("Starting", total=1.0)
        maker(lambda what, share: bar.update(task, description=what, completed=share))
        bar.update(task, description="Done", completed=1.0)


def _show_account(console: Console, out: Path) -> None:
    from data.city import City

    city = City.open(out)
    kind = "demo city: synthetic" if city.synthetic else "real records"
    console.print(
        f"\n[bold]{city.name}[/] ({kind}), version {city.version}, in {_plain(str(out))}", highlight=False
    )
    for name in city.tables:
        account, source = city.account(name), city.source(name)
        console.print(
            f"  {source.title:<22}{account.read:>9,} read {account.accepted:>9,} accepted "
            f"{account.quarantined:>6,} in quarantine",
            highlight=False,
        )
        for reason, count in account.reasons.items():
            console.print(f"      {count:,}: {_plain(reason)}", style="dim", highlight=False)
        for step in source.steps:
            console.print(f"      {_plain(step)}", style="dim", highlight=False)
    surface = city.elevation
    if surface is not None:
        console.print(f"  {city.elevation_source.title}", highlight=False)
        for words in (*surface.words, *city.elevation_source.steps):
            console.print(f"      {_plain(words)}", style="dim", highlight=False)


def _plain(text: str) -> str:
    """Keep rich from reading square brackets as markup."""
    return text.replace("[", r"\[")


if __name__ == "__main__":
    sys.exit(main())
