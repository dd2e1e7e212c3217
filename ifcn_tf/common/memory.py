"""The memory of this process."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Of what is no longer needed, where the C library has a function for that: it keeps it otherwise."""
    getattr(ctypes.pythonapi, "malloc_trim", lambda left: 0)(0)
