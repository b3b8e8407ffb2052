"""How a report takes the place of an earlier one: once all of it is written."""

from __future__ import annotations

import signal
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


@pytest.mark.parametrize("taken", ["operations", "index.html", "report-files.json"])
def test_a_report_without_a_way_to_all_its_places_takes_none(tmp_path: Path, taken: str) -> None:
    """A file in a directory's place, or a directory in a file's: the user's own, which stays."""
    put(tmp_path, [("static/a.js", "old")])
    (tmp_path / "report-files.json").unlink()
    if taken == "operations":
        (tmp_path / taken).write_text("mine", encoding="utf-8")
    else:
        (tmp_path / taken).mkdir()
    before = there(tmp_path)
    with pytest.raises(OSError, match=taken):
        put(tmp_path, pages("new"))
    assert there(tmp_path) == before


@pytest.mark.parametrize("name", ["../out.html", "operations/../../out.html", "/out.html"])
def test_paths_lead_out_of_no_directory(tmp_path: Path, name: str) -> None:
    """Whatever names results have: a report with such a path is none."""
    put(tmp_path / "in", pages("old"))
    out = str(tmp_path / name[1:]) if name.startswith("/") else name
    with pytest.raises(OSError, match="leads out"):
        put(tmp_path / "in", [*pages("new"), (out, "new")])
    assert there(tmp_path) == {f"in/{page}": text for page, text in pages("old")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_amidst_the_moves_waits_for_their_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """And is heard then; the report is whole."""
    moved = Path.replace

    def replace(path: Path, target: Path) -> Path:
        signal.raise_signal(number)
        return moved(path, target)

    put(tmp_path, [*pages("old"), ("stale.html", "old")])
    monkeypatch.setattr(Path, "replace", replace)
    previous = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            put(tmp_path, pages("new"))
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, previous)
    assert there(tmp_path) == dict(pages("new"))
