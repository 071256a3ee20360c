"""The simulator's rules are compiled beside the server: once, stoppable, and not by importing a page."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pages.parts import warm_up
from pages.parts.warm_up import Compiler, compile_while_serving, flood_compiler, rules_compiler
from tests.e2e.conftest import PROJECT


@pytest.fixture(autouse=True)
def _own_compiler() -> Iterator[None]:
    for compiler in (rules_compiler, flood_compiler):
        compiler.cache_clear()
    yield
    for compiler in (rules_compiler, flood_compiler):
        compiler().stop()
        compiler.cache_clear()


def _serve(seen: list[bool]) -> None:
    async def serve() -> None:
        async with compile_while_serving(None):
            seen.extend(compiler().running for compiler in (rules_compiler, flood_compiler))

    asyncio.run(serve())


def test_the_server_compiles_while_it_runs_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm_up, "COMMAND", "import time; time.sleep(60)")
    monkeypatch.setattr(warm_up, "FLOOD_COMMAND", "import time; time.sleep(60)")
    seen: list[bool] = []
    _serve(seen)
    assert seen == [True, True]
    assert not rules_compiler().running
    assert not flood_compiler().running


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRESCENT_COMPILE", "0")
    seen: list[bool] = []
    _serve(seen)
    assert seen == [False, False]


def test_a_simulation_waits_for_it_and_can_be_stopped() -> None:
    compiler = Compiler("import time; time.sleep(60)")
    compiler.start()
    told: list[float] = []

    def stop(share: float) -> None:
        told.append(share)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiler.wait(stop)
    assert told == [0.0, 0.0]
    compiler.stop()
    compiler.wait(stop)
    assert told == [0.0, 0.0]


def test_importing_the_pages_compiles_nothing() -> None:
    code = "import sys, pages.parts.warm_up, pages.parts.staging_simulate; print('numba' in sys.modules)"
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


@pytest.mark.slow
def test_the_command_compiles_what_the_app_runs() -> None:
    subprocess.run([sys.executable, "-c", warm_up.COMMAND], cwd=PROJECT, check=True)  # noqa: S603
    code = "from models.dispatch import compile_rules; from models.dispatch_kernel import run; compile_rules(); print(sum(run.stats.cache_misses.values()))"  # noqa: E501
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "0"


@pytest.mark.slow
def test_the_other_command_compiles_what_storms_and_lists_run() -> None:
    subprocess.run([sys.executable, "-c", warm_up.FLOOD_COMMAND], cwd=PROJECT, check=True)  # noqa: S603
    code = (
        "from models.flood_compile import compile_flood; from models.flood_kernel import run_steps; "
        "print(compile_flood() > 0, sum(run_steps.stats.cache_misses.values()))"
    )
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["True", "0"]
