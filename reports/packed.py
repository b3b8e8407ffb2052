"""Plotly's script, compressed: it is by far the largest file of a report, and there is one copy of it in each."""

from __future__ import annotations

import base64
import zlib
from functools import cache
from pathlib import Path

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly ships no types

NAME = "static/plotly.min.js"

_UNPACK = Path(__file__).parent / "templates" / "unpack.js"


@cache
def plotly() -> str:
    """A script that is Plotly once it has run; a page's policy has to allow what it unpacks, by its hash."""
    return pack(get_plotlyjs())


def pack(script: str, level: int = 9, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> str:
    """A script that unpacks another one, and runs it."""
    source = script.encode()
    squeezed = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=strategy)
    packed = base64.b64encode(squeezed.compress(source) + squeezed.flush()).decode()
    return f'{_UNPACK.read_text(encoding="utf-8").rstrip()}("{packed}", {len(source)});\n'
