"""Plotly's script, compressed: it is by far the largest file of a report, and there is one copy of it in each."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from pathlib import Path

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly ships no types

NAME = "static/plotly.min.js"

_UNPACK = Path(__file__).parent / "templates" / "unpack.js"


@cache
def plotly() -> str:
    """A script that unpacks Plotly and runs it, which the promise ``unpacked`` waits for; a page's policy has to allow it, by its hash."""
    return f'{_UNPACK.read_text(encoding="utf-8").rstrip()}("{compressed(get_plotlyjs())}");\n'


def compressed(text: str) -> str:
    """Compressed, and written in letters that end no element and no string."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
