"""Ends the wait for what may never end: work is left to itself when its time is up."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` returns or raises; TimeoutError where that takes longer.

    It goes on in a thread of its own, which nobody waits for, not even the end of the program.
    """
    future: Future[T] = Future()
    Thread(target=_carry_out, args=(work, future), daemon=True).start()
    return future.result(timeout=seconds)


def _carry_out(work: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 handed on to whoever waits, not handled
        future.set_exception(error)
