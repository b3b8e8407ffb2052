"""How a report takes the place of an earlier one: whole, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.place import put

PAGES = ("static/a.js", "operations/x.html", "index.html")


def pages(text: str) -> Iterator[tuple[str, str]]:
    """A small report."""
    yield from ((name, text) for name in PAGES)


def there(output: Path) -> dict[str, str]:
    """Every file of a directory, but for the list of what the report has written."""
    files = (p for p in output.rglob("*") if p.is_file() and p.name != "report-files.json")
    return {p.relative_to(output).as_posix(): p.read_text(encoding="utf-8") for p in files}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), RuntimeError("a fault of the report's")])
def test_a_build_that_ends_early_leaves_the_earlier_report(tmp_path: Path, error: BaseException) -> None:
    """Be it interrupted, on a full disk, or faulty; nothing else stays of it."""

    def half() -> Iterator[tuple[str, str]]:
        yield from list(pages("new"))[:2]
        raise error

    put(tmp_path, pages("old"))
    with pytest.raises(type(error)):
        put(tmp_path, half())
    assert there(tmp_path) == dict(pages("old"))


def test_builds_at_once_do_not_mix(tmp_path: Path) -> None:
    """While one is at work another one comes and goes; in the end all pages are those of the one that has ended last."""
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[tuple[str, str]]:
        for page in pages("slow"):
            yield page
            begun.set()
            assert go_on.wait(30)

    builder = threading.Thread(target=put, args=(tmp_path, slow()))
    builder.start()
    assert begun.wait(30)
    put(tmp_path, [*pages("quick"), ("stale.html", "quick")])
    meanwhile = {name: text for name, text in there(tmp_path).items() if not name.startswith(".")}
    go_on.set()
    builder.join()
    assert set(meanwhile.values()) == {"quick"}
    assert there(tmp_path) == dict(pages("slow"))


def test_what_a_killed_build_has_left_goes(tmp_path: Path) -> None:
    """With the next report."""
    (tmp_path / ".unfinished-x" / "static").mkdir(parents=True)
    (tmp_path / ".unfinished-x" / "static" / "a.js").write_text("half", encoding="utf-8")
    put(tmp_path, pages("new"))
    assert there(tmp_path) == dict(pages("new"))
