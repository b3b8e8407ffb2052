"""Facts of this machine that change numerics or time, and how a framework's process settles on it."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import platform
import signal
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

EXTENSIONS = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16")
"""How the names begin of the vector extensions that are told of."""

CORE = "LOGITBENCH_CORE"
"""Variable that names the core to stay on: a framework's own threads then wait for no other process."""

_PARENT_DEATH = 1
"""PR_SET_PDEATHSIG: prctl(2)."""
_OUT_OF_MEMORY = 500
"""Of 1000: proc(5), oom_score_adj."""
_GROUPS = Path("/sys/fs/cgroup")


def cores() -> list[int]:
    """The cores that this process may use; where the system does not tell, those that there are."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def settle() -> None:
    """What a framework's process does first.

    It stays on its core, if it has one; it ends with the process that has started it; where memory runs out, it is the first that the
    system ends; and if it dies, it tells where it was.
    """
    if core := os.environ.get(CORE):
        os.sched_setaffinity(0, {int(core)})
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL.value)
    with contextlib.suppress(OSError):
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(max(_OUT_OF_MEMORY, int(score.read_text(encoding="ascii")))), encoding="ascii")
    faulthandler.enable()


def memory() -> int:
    """Bytes of memory that there are: the machine's, or what the container or job that this process runs in may have."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_allowed()])


def _allowed() -> Iterator[int]:
    """The limits of this process's control groups, of both versions, and of those around them."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for _, controllers, own in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers and "memory" not in controllers.split(","):
            continue
        root, name = (_GROUPS / "memory", "memory.limit_in_bytes") if controllers else (_GROUPS, "memory.max")
        inner = root / own.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder == root or root in folder.parents:
                with contextlib.suppress(OSError, ValueError):
                    yield int((folder / name).read_text(encoding="ascii"))


@cache
def cpu() -> Mapping[str, str]:
    """The CPU and its vector extensions, by which frameworks choose their kernels."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {"cpu": platform.processor() or "unknown"}
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    values = {k.strip(): v.strip() for k, v in lines.items()}
    flags = values.get("flags", values.get("Features", "")).split()
    return {
        "cpu": values.get("model name", "unknown"),
        "vector extensions": " ".join(sorted(f for f in flags if f.startswith(EXTENSIONS))),
    }


def facts() -> dict[str, str]:
    """CPU, its vector extensions, Python, and the variables that choose threads and kernels."""
    facts = {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}", "machine": platform.machine()}
    facts |= {**cpu(), "cpus": str(os.cpu_count())}
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS"):
        facts[name] = os.environ.get(name, "")
    return facts
