"""What keeps a framework's function from taking the run with it: how long it may take, how much memory, and what is not asked again.

Memory is what a process really holds, looked at ten times a second: frameworks reserve addresses by the gigabyte, which a limit of the
system's would count.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from suite import machine

INTERVAL = 0.1
"""Seconds between two looks at a process's memory."""

GRACE = 2.0
"""Seconds that a process has to say where it hangs, before it is killed."""

LEAST_MEMORY = 2 << 30
"""Bytes that a process may hold by default on the smallest machine."""

SHARES = "LOGITBENCH_SHARES"
"""The variable that tells a sweep's worker on this machine how many they are."""

GIVEN_UP = {"way": 2, "case": 4, "implementation": 8}
"""Losses after which the same is not asked again; a process that had to be stopped counts as two, since each one takes a whole limit."""

_SHOWN = 6
_FATAL = "Fatal Python error"


def default_memory() -> int:
    """Half of what there is, shared among xdist's workers, or a sweep's, so that what is at fault in each leaves the machine usable."""
    return max(LEAST_MEMORY, machine.memory() // 2 // int(os.environ.get(SHARES) or os.environ.get("PYTEST_XDIST_WORKER_COUNT") or 1))


def bytes_of(gibibytes: float | None) -> int:
    """The bytes of a limit that is given in GiB, or of the default."""
    return default_memory() if gibibytes is None else int(gibibytes * 2**30)


class Guard:
    """Ends a process that takes too long over a request, or too much memory; ``reason`` then says which of them."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, memory: int) -> None:
        self.reason = ""
        self.hung = False
        self._process, self._seconds, self._memory = process, seconds, memory
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        end = time.monotonic() + self._seconds
        while not self._over.wait(min(INTERVAL, max(0.0, end - time.monotonic()))):
            if resident(self._process.pid) > self._memory:
                self.reason = f"took more than {self._memory / 2**30:.3g} GiB of memory and was stopped"
                self._process.kill()
                return
            if time.monotonic() >= end:
                self.reason, self.hung = f"gave no answer within {self._seconds:.0f} s and was stopped", True
                self._abort()
                return

    def _abort(self) -> None:
        """Has the process say where it is, as ``faulthandler`` does, and leave no core behind."""
        with contextlib.suppress(AttributeError, OSError, ValueError):  # Linux alone has it
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
        self._process.send_signal(signal.SIGABRT)
        if not self._over.wait(GRACE):
            self._process.kill()

    def cancel(self) -> None:
        """The request has ended, one way or the other. Afterwards the guard's thread is gone."""
        self._over.set()
        self._thread.join()


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


class Losses:
    """What processes died of, or hung at. What has done so again and again is not asked any more: each time costs a start, or the limit.

    A way to ask is given up first, then its case, then the implementation in all modes and dtypes.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._texts: dict[tuple[str, str], str] = {}

    def note(self, header: Mapping[str, Any], text: str, stopped: bool) -> None:
        """A process was lost at this request."""
        for key in _keys(header):
            self._counts[key] += 2 if stopped else 1
            self._texts[key] = text

    def refusal(self, header: Mapping[str, Any]) -> str:
        """Why this is not asked; empty if it is."""
        given_up = (key for key in _keys(header) if self._counts[key] >= GIVEN_UP[key[0]])
        return next((f"not asked again: {self._texts[key]}" for key in given_up), "")


def _keys(header: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of a request for what an implementation returns; none of any other."""
    if "implementation" in header:
        yield "way", json.dumps({k: v for k, v in header.items() if k not in ("blocks", "slot")}, sort_keys=True)
        yield "case", _case(header)
        yield "implementation", f"{header['operation']}-{header['implementation']}"


def _case(header: Mapping[str, Any]) -> str:
    return "-".join(header[name] for name in ("operation", "implementation", "mode", "dtype"))


def asked(header: Mapping[str, Any]) -> str:
    """What a request is about, as it is told of a process that was lost at it; empty if that says nothing."""
    if "implementation" in header:
        return f", at the {header['question']} of {_case(header)}"
    if "outputs" in header:
        return f", at the inputs from {header['start']} on of " + ", ".join(o["implementation"] for o in header["outputs"])
    return f", at {header['module']}" if "module" in header else ""


def how_it_ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"died with exit status {status}"
    try:
        name = f" ({signal.Signals(-status).name}{', as where memory runs out' if -status == signal.SIGKILL else ''})"
    except ValueError:
        name = ""
    return f"died with signal {-status}{name}"


def last_words(log: IO[bytes], hung: bool) -> list[str]:
    """What a process has said last, or, if it has said where it was as it died, or was made to, that."""
    end = log.seek(0, os.SEEK_END)
    log.seek(max(0, end - 20_000))
    lines = log.read().decode(errors="replace").strip().splitlines()
    fatal = next((i for i in reversed(range(len(lines))) if lines[i].startswith(_FATAL)), None)
    if fatal is None:
        return [line[:500] for line in lines[-_SHOWN:]]
    current = next((i for i in range(fatal, len(lines)) if lines[i].startswith("Current thread")), fatal)
    frames = (line for line in lines[current + 1 :] if line.lstrip().startswith("File "))
    return [*([] if hung else lines[fatal : fatal + 1]), *(line for line, _ in zip(frames, range(_SHOWN - 1), strict=False))]
