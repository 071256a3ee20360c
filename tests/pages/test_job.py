"""Work in the background tells how far it is, can be stopped, and says what went wrong."""

import gc
import weakref
from collections.abc import Callable
from threading import Event

import pytest

from errors import InvalidInputError
from pages.parts.job import Job


class _Circle:
    """Refers to itself, so that counting references alone never frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_a_result_arrives_with_its_progress() -> None:
    go = Event()

    def work(progress: Callable[[float], None]) -> int:
        progress(0.5)
        go.wait(10)
        return 42

    job = Job(work)
    assert job.running
    go.set()
    job.wait(10)
    assert (job.running, job.result, job.error, job.share) == (False, 42, "", 0.5)


def test_nothing_of_the_work_stays_but_its_result() -> None:
    kept: list[weakref.ref[_Circle]] = []

    def work(_: Callable[[float], None]) -> int:
        kept.append(weakref.ref(_Circle()))
        assert kept[0]() is not None
        return 1

    gc.disable()
    try:
        job = Job(work)
        job.wait(10)
    finally:
        gc.enable()
    assert job.result == 1
    assert kept[0]() is None


def test_a_stop_takes_effect_at_the_next_step() -> None:
    go = Event()

    def work(progress: Callable[[float], None]) -> int:
        go.wait(10)
        progress(0.9)
        return 42

    job = Job(work)
    job.stop()
    go.set()
    job.wait(10)
    assert (job.result, job.error) == (None, "stopped")


def test_an_error_for_the_user_is_kept_in_words() -> None:
    def work(_: Callable[[float], None]) -> int:
        raise InvalidInputError("no post is staffed")

    job = Job(work)
    job.wait(10)
    assert (job.result, job.error) == (None, "no post is staffed")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_program_is_said_too() -> None:
    def work(_: Callable[[float], None]) -> int:
        raise ZeroDivisionError

    job = Job(work)
    job.wait(10)
    assert "ZeroDivisionError" in job.error
