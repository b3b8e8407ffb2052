"""Fixtures that several of the suite's own tests share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.meta.sample_results import Line, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines into a result file."""

    def write_lines(*lines: Line, name: str = "a.jsonl", tail: str = "") -> Path:
        path = tmp_path / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines) + tail, encoding="utf-8")
        return path

    return write_lines
