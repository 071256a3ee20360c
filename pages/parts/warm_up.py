"""The simulator's compiled rules, made ready beside the server while nobody waits for them.

Compiling takes some ten seconds of one core, once a machine: numba keeps the result on disk, beside the
source. It runs in a process of its own at a low priority, so that the first pages are as quick as ever
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

COMMAND = (
    "import os; getattr(os, 'nice', int)(10); from models.dispatch import compile_rules; compile_rules()"
)
POLL_S = 0.2


class RulesCompiler:
    """The process that compiles the rules, once a server."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether rules are being compiled."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begin, unless it was begun before. What goes wrong stands in the server's log; see `wait`."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", COMMAND], cwd=PROJECT_DIR, stdout=subprocess.DEVNULL
            )

    def wait(self, progress: Callable[[float], None]) -> None:
        """Wait while rules are being compiled; ``progress`` is told 0 and may raise to end the wait.

        Where nothing was begun, or it failed, the first simulation compiles by itself.
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
def rules_compiler() -> RulesCompiler:
    """Return the one compiler of this server."""
    return RulesCompiler()


@asynccontextmanager
async def compile_while_serving(_app: object) -> AsyncIterator[None]:
    """Compile the simulator's rules in the background from the server's start (``CRESCENT_COMPILE``)."""
    if Settings().compile:
        rules_compiler().start()
    try:
        yield
    finally:
        rules_compiler().stop()
