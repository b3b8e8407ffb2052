"""Facts of this machine that change numerics or time."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

EXTENSIONS = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16")
"""How the names begin of the vector extensions that are told of."""

CORE = "LOGITBENCH_CORE"
"""Variable that names the core to stay on: a framework's own threads then wait for no other process."""


def cores() -> list[int]:
    """The cores that this process may use; where the system does not tell, those that there are."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


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
