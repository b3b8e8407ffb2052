"""How a run is stopped: SIGTERM does what Ctrl-C does, and while results are being kept neither does anything at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM)
STOPPED = 2
"""Exit status of a run that has been stopped."""
NOTICE = b"\nthe results are kept and the report is being written; once more, and there will be none\n"
PATIENCE = 2.0
"""Seconds after the first request to stop in which another is the same impatience: it must not disturb what deals with the first."""


@dataclass
class _Asked:
    """What has been asked for, ``cause``, first at ``moment``, and what this finds.

    ``waits`` says that it has to wait for a better moment, ``finishing`` that the run ends anyhow, ``droppable`` that what it is at then
    may be left undone; ``again`` counts what comes after that.
    """

    cause: str = ""
    moment: float = 0.0
    waits: bool = False
    finishing: bool = False
    droppable: bool = False
    again: int = 0


_asked = _Asked()


def leave_quietly() -> None:
    """While there is nothing to keep, and the suite is still being imported: an interrupt ends the process without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # only the main thread may
            signal.signal(signal.SIGINT, _leave)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(STOPPED)


@contextlib.contextmanager
def caught() -> Iterator[None]:
    """While the block runs both signals raise ``KeyboardInterrupt``, until :func:`finish`; a handler of somebody else's is left."""
    global _asked  # noqa: PLW0603 - a process has one set of handlers
    outer, _asked = _asked, _Asked()
    before = {}
    for number in STOPPING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, _leave):
            with contextlib.suppress(ValueError):
                before[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked = outer


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """A block that is not interrupted, but where :func:`at_once` lets it: whoever runs it looks at :func:`cause` at its end."""
    _asked.waits = True
    try:
        yield
    finally:
        _asked.waits = False


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """A part of such a block that may be interrupted, as it is at its beginning by what has waited."""
    before, _asked.waits = _asked.waits, False
    try:
        if before and _asked.cause:
            raise KeyboardInterrupt
        yield
    finally:
        _asked.waits = before


def finish() -> None:
    """From here on the run ends: what asks it to, asks in vain, but for what :func:`droppable` lets go."""
    _asked.finishing = True


@contextlib.contextmanager
def droppable() -> Iterator[None]:
    """A block that a second request to stop, while the run ends, ends with ``KeyboardInterrupt``."""
    _asked.droppable = True
    try:
        yield
    finally:
        _asked.droppable = False


def cause() -> str:
    """The signal that has stopped the run; empty if none has."""
    return _asked.cause


def again() -> bool:
    """Whether something droppable has been dropped."""
    return _asked.again > 1


def _stop(number: int, _frame: FrameType | None) -> None:
    if _asked.finishing:
        if not _asked.droppable:
            return
        _asked.again += 1
        if _asked.again > 1:
            raise KeyboardInterrupt
        with contextlib.suppress(OSError):
            os.write(2, NOTICE)
        return
    now = time.monotonic()
    if _asked.cause and now - _asked.moment < PATIENCE:
        return
    _asked.cause, _asked.moment = signal.Signals(number).name, now
    if not _asked.waits:
        raise KeyboardInterrupt
