"""Progress, on standard error: on a terminal a line that is written anew, in the log of a CI job a plain one now and then, else nothing."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Literal, Self, TextIO

Style = Literal["line", "log", ""]
"""A line that is written anew, plain lines, or nothing at all."""

FIRST: dict[Style, float] = {"line": 1.0, "log": 30.0}
EVERY: dict[Style, float] = {"line": 0.5, "log": 30.0}
"""Seconds before anything is said, and between what is said."""


def style(stream: TextIO) -> Style:
    """What is fit for a stream: a terminal that can go back to a line's beginning, a CI job's log, or neither of them."""
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return "line"
    return "log" if stream.isatty() or os.environ.get("CI") else ""


class Progress:
    """Says what is under way, and for how long, while it goes on; :attr:`text` may be changed meanwhile. A ``log`` is for CI jobs alone."""

    def __init__(self, text: str, stream: TextIO | None = None, log: bool = False) -> None:
        self.text = text
        self._stream = stream or sys.stderr
        found = style(self._stream)
        self._style: Style = "" if log and found == "line" else found
        self._ended = threading.Event()
        self._begin = time.monotonic()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._style:
            self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> None:
        told = False
        pause = FIRST[self._style]
        while not self._ended.wait(pause):
            seconds = time.monotonic() - self._begin
            text = f"{self.text}, {seconds:.0f} s"
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}" if self._style == "line" else f"{text}\n")
            self._stream.flush()
            told, pause = True, EVERY[self._style]
        if told and self._style == "line":
            self._stream.write("\r\x1b[K")
            self._stream.flush()
