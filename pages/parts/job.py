"""Long work in the background: it tells how far it is, can be stopped, and leaves a result or an error."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Generic, TypeVar

from errors import CrescentError
from pages.parts.memory import give_back_memory

T = TypeVar("T")
Work = Callable[[Callable[[float], None]], T]


class _StoppedError(Exception):
    """The person who asked for the work has stopped it."""


class Job(Generic[T]):
    """One piece of work in a thread of its own.

    Parameters
    ----------
    work
        Called with a function that takes the share done, from 0 to 1. The work must call it often: a stop
        takes effect there.

    Attributes
    ----------
    share
        How much is done, from 0 to 1.
    result
        What the work returned; None until then.
    error
        What went wrong, in words; empty when nothing did.
    """

    def __init__(self, work: Work[T]) -> None:
        self.share = 0.0
        self.result: T | None = None
        self.error = ""
        self._stop = Event()
        self._thread = Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the work goes on."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask the work to end at its next step."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the work to end."""
        self._thread.join(timeout_s)

    def _run(self, work: Work[T]) -> None:
        try:
            self.result = work(self._step)
        except _StoppedError:
            self.error = "stopped"
        except CrescentError as error:
            self.error = str(error)
        except Exception as error:
            # The thread has no page to show an error on: the page that waits for it says it, the log has it.
            self.error = f"the work ended with an error of the program ({type(error).__name__})"
            raise
        finally:
            give_back_memory()

    def _step(self, share: float) -> None:
        self.share = share
        if self._stop.is_set():
            raise _StoppedError
