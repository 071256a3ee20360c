"""The simulator's rules and the storm's steps, compiled beside the server while nobody waits for them.

Compiling takes some ten seconds of one core each, once a machine: numba keeps the result on disk, beside the
source. It runs in processes of their own at a low priority, so that the first pages are as quick as ever
and the server never holds the compiler in memory. Two servers that start together at worst both compile:
numba writes its files whole or not at all.
"""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

from pages.parts.settings import PROJECT_DIR, Settings

_NICE = "import os; getattr(os, 'nice', int)(10); "
COMMAND = f"{_NICE}from models.dispatch import compile_rules; compile_rules()"
FLOOD_COMMAND = f"{_NICE}from models.flood_compile import compile_flood; compile_flood()"
POLL_S = 0.2


class Compiler:
    """A process that compiles, once a server.

    Parameters
    ----------
    command
        The Python that it runs.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it is compiling."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begin, unless it was begun before. What goes wrong stands in the server's log; see `wait`."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", self._command], cwd=PROJECT_DIR, stdout=subprocess.DEVNULL
            )

    def wait(self, progress: Callable[[float], None]) -> None:
        """Wait while it compiles; ``progress`` is told 0 and may raise to end the wait.

        Where nothing was begun, or it failed, the first simulation or storm compiles by itself.
        """
        while self.running:
            progress(0.0)
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the process; nothing half-written stays behind."""
        if self._process is not None and self.running:
            self._process.terminate()
            self._process.wait()


@cache
def rules_compiler() -> Compiler:
    """Return the one compiler of the simulator's rules of this server."""
    return Compiler(COMMAND)


@cache
def flood_compiler() -> Compiler:
    """Return the one compiler of the storm's steps of this server."""
    return Compiler(FLOOD_COMMAND)


@asynccontextmanager
async def compile_while_serving(_app: object) -> AsyncIterator[None]:
    """Compile in the background from the server's start (``CRESCENT_COMPILE``)."""
    compilers = (rules_compiler(), flood_compiler())
    if Settings().compile:
        for compiler in compilers:
            compiler.start()
    try:
        yield
    finally:
        for compiler in compilers:
            compiler.stop()
