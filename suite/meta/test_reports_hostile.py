"""Result files that are broken, or made to break something: read, or refused in one line that names file and line, never more."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import lines
from reports.__main__ import UNUSABLE, main
from reports.html import build
from reports.merge import read
from reports.read import ResultsError
from reports.snippets import snippets
from reports.summary import summary
from reports.view import View
from suite.meta.sample_results import Line, Write, comparison, end, everything, facts, record, run

ODD: tuple[Any, ...] = (
    None, True, -1, 10**400, 1.5, float("nan"), float("inf"), "", "nan", "\ud800", "\x00", "../../x", "<script>", [], [[]], {}, {"": None},
    [10**400, "\udfff"], "é" * 300,
)  # fmt: skip
"""Values that no field expects, or hardly any."""

BYTES = (b"", b"\xff", b"\n", b'"', b"{", b"[" * 2_000, b"9" * 5_000, b"\x00", b"\\ud83d")


def used(path: Path) -> None:
    """Everything that can be done with result files; a refusal is one line that names the file."""
    said = ""
    try:
        view = View(read([path]))
        assert summary([path]).encode()
        assert all(snippet.file.encode() and snippet.name.encode() for snippet in snippets(view))
        build([path], path.parent / "html")
    except ResultsError as error:
        said = str(error)
    assert not said or (str(path) in said and "\n" not in said)


def changed(line: Line, chance: random.Random) -> Line:
    """A line of which one value, somewhere in it, is another, or gone, or a stranger has come."""
    made = json.loads(json.dumps(line))
    place = made
    while True:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[key]
        if not (isinstance(inner, dict | list) and inner and chance.random() < 0.8):
            break
        place = inner
    how = chance.randrange(4)
    if how == 0 and isinstance(place, dict):
        del place[key]
    elif how == 1 and isinstance(place, dict):
        place[chance.choice(["", "x", "\ud800", "kind"])] = chance.choice(ODD)
    else:
        place[key] = chance.choice(ODD)
    return dict(made)


class TestMutated:
    """Valid files with something wrong in them."""

    @settings(derandomize=True, max_examples=40, deadline=None)
    @given(st.randoms(use_true_random=False))
    def test_any_value_in_any_place(self, tmp_path_factory: pytest.TempPathFactory, chance: random.Random) -> None:
        """Wrong types, strange keys, huge numbers, halves of surrogates."""
        path = tmp_path_factory.mktemp("odd") / "a.jsonl"
        written = list(chance.choice([*everything(), comparison()]))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(written))
            written[at] = changed(written[at], chance)
        path.write_text("".join(json.dumps(line) + "\n" for line in written), encoding="utf-8")
        used(path)

    @settings(derandomize=True, max_examples=40, deadline=None)
    @given(st.randoms(use_true_random=False))
    def test_any_byte_in_any_place(self, tmp_path_factory: pytest.TempPathFactory, chance: random.Random) -> None:
        """Bytes that are other ones, missing, or too many; files that end anywhere."""
        path = tmp_path_factory.mktemp("bytes") / "a.jsonl"
        data = bytearray("".join(json.dumps(line) + "\n" for line in chance.choice(everything())).encode())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.choice(BYTES)
        path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        used(path)


class TestRefused:
    """What is no result file at all."""

    def test_a_compressed_file_is_told(self, write: Write) -> None:
        """With or without line ends in it."""
        path = write(run(), record(), end())
        path.write_bytes(gzip.compress(path.read_bytes()))
        with pytest.raises(ResultsError, match=r"a\.jsonl:1: .*compressed"):
            read([path])

    @pytest.mark.parametrize(
        "data", [b"hello", b"\x80\x04\x95", b"[1]", b'"', bytes(100)], ids=["text", "pickle", "list", "quote", "zeros"]
    )
    def test_a_file_of_anything_else_is_not_a_run_that_was_killed(self, write: Write, data: bytes) -> None:
        """A pickle, say: it is not executed, and not called empty."""
        path = write()
        path.write_bytes(data)
        with pytest.raises(ResultsError, match=r"a\.jsonl:1: "):
            read([path])

    def test_a_line_without_end_is_not_read_whole(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory is not what a file says."""
        monkeypatch.setattr(lines, "LONGEST", 10_000)
        path = write(run(), record(message="m" * 20_000), end())
        with pytest.raises(ResultsError, match=r"a\.jsonl:2: .*longer than 10,000 bytes"):
            read([path])

    def test_what_is_no_file_is_not_waited_for(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A pipe that nobody writes to, a device, a link to nowhere: exit code 4, one line."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path / "link"):
            assert main(["summary", str(path)]) == UNUSABLE
            told = capsys.readouterr().err
            assert told.startswith(f"error: {path}: ")
            assert told.count("\n") == 1

    def test_names_lead_out_of_no_folder(self, write: Write, tmp_path: Path) -> None:
        """Operations are named in files' names."""
        names = ("../../../out", "/out", "a/../../b", "..", "", "\x00", "x" * 5_000)
        used(write(run(), facts(), *(record("fail", operation=name) for name in names), end()))
        written = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert {path.relative_to(tmp_path).parts[0] for path in written} == {"results"}
        assert not list(tmp_path.parent.glob("out*"))
