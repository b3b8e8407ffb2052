"""How much memory a call takes beyond what its process holds, as Linux counts it. Nothing but the standard library is needed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"
"""What resets the largest resident size so far, written to ``clear_refs``: proc(5)."""
_PARENT_DEATH = 1
"""PR_SET_PDEATHSIG: prctl(2)."""
_OWN = ("Private_Clean", "Private_Dirty")
"""Pages that no other process has."""


class NotCounted(Exception):
    """This system does not tell; the text says why."""


def taken(call: Callable[[], Any]) -> int:
    """Bytes that ``call`` takes at its peak, the result included; raises :class:`NotCounted`.

    The larger of two counts: by how much the process grows, which sees what is mapped and given back meanwhile, and how much of its
    memory is written, which sees what an allocator has kept from earlier calls and uses again. A call that needs both is counted
    too low. Both go by pages; one or two megabytes are what a framework's threads write in any call.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        with _shared():
            before, own = _kilobytes("status", "VmRSS"), _kilobytes("smaps_rollup", *_OWN)
            kept = call()
            growth, written = _kilobytes("status", "VmHWM") - before, _kilobytes("smaps_rollup", *_OWN) - own
    except OSError as error:
        raise NotCounted(f"memory is not counted here: {error}") from error
    del kept
    return 1024 * max(0, growth, written)


@contextlib.contextmanager
def _shared() -> Iterator[None]:
    """Meanwhile a child that does nothing shares every page; one that is written becomes this process's own (copy on write).

    The child makes system calls alone, and no signal but SIGKILL reaches it: nothing of this process's threads and locks is used there.
    """
    libc = ctypes.PyDLL(None, use_errno=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    child = libc.fork()
    if child == 0:
        libc.prctl(_PARENT_DEATH, signal.SIGKILL.value)
        while True:
            libc.pause()
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if child < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        yield
    finally:
        if child > 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _kilobytes(file: str, *names: str) -> int:
    """The sum of entries of a file about this process."""
    lines = (_PROCESS / file).read_text(encoding="ascii", errors="replace").splitlines()
    found = [int(line.split()[1]) for line in lines if line.partition(":")[0] in names]
    if len(found) != len(names):
        raise OSError(f"/proc/self/{file} lacks one of {', '.join(names)}")
    return sum(found)
