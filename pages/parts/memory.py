"""Freed memory, given back to the system: a server that has worked hard once should not stay large for it."""

import gc
import sys
from ctypes import CDLL


def give_back_memory() -> None:
    """Drop what nothing refers to, and return freed memory to the system where the C library can (glibc).

    glibc keeps what a thread has freed in that thread's own arena, for threads that may never come.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
