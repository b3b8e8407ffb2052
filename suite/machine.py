"""Facts of this machine that change numerics or time."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def facts() -> dict[str, str]:
    """CPU, its vector extensions, Python, and the variables that choose threads and kernels."""
    facts = {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}", "machine": platform.machine()}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        facts["cpu"] = platform.processor() or "unknown"
    else:
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        values = {k.strip(): v.strip() for k, v in lines.items()}
        facts["cpu"] = values.get("model name", "unknown")
        wanted = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16")
        flags = values.get("flags", values.get("Features", "")).split()
        facts["vector extensions"] = " ".join(sorted(f for f in flags if f.startswith(wanted)))

    facts["cpus"] = str(os.cpu_count())
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS"):
        facts[name] = os.environ.get(name, "")
    return facts
