"""What a run tells its readers of the operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.merge import read
from suite.operations import operations
from suite.records import BOUNDS, Writer, described


@pytest.mark.parametrize("name", operations())
def test_every_operation_says_its_bounds(name: str) -> None:
    """In words that a reader can follow, without the markup of docstrings, and no function without a name."""
    operation = operations()[name]
    told = described(operation)
    assert operation.formula
    assert operation.source
    assert set(told["bounds"]) == {what for what, attribute in BOUNDS.items() if getattr(operation, attribute)}
    for paragraphs in told["bounds"].values():
        assert all(len(text) > 10 for text in paragraphs)
        assert all(text[-1] == "." and "`" not in text for text in paragraphs)


def test_readers_get_what_is_told(tmp_path: Path) -> None:
    """Of every operation all of it, infinities included."""
    writer = Writer(tmp_path, "r", "main")
    writer.begin("main", [], "quick", 1, 0)
    writer.operations(operations().values())
    writer.close()
    found = read([writer.path]).operations
    assert list(found) == list(operations())
    for name, operation in operations().items():
        assert {k: list(v) for k, v in found[name].bounds.items()} == described(operation)["bounds"]
        assert (found[name].range, found[name].gradient_range) == (operation.range, operation.gradient_range)
        assert [vars(a) for a in found[name].arguments] == [vars(a) for a in operation.arguments]
