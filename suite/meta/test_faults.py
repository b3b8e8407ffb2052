"""Runs that go wrong, as a user sees them: what is told, what is kept, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FAULTY = Path(__file__).with_name("faulty.py")

Done = subprocess.CompletedProcess[str]


def suite(*arguments: str, cwd: Path = ROOT, **variables: str) -> Done:
    """``pytest`` of the suite, as a user runs it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "LOGITBENCH_"))} | variables
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "--hypothesis-seed=1", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=240)


def written(directory: Path, whole: bool = True) -> list[dict[str, Any]]:
    """The lines of all result files; of files that are still written to, those that are complete."""
    files = sorted((directory / "results").glob("*.jsonl"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)]
    return [json.loads(line) for line in lines if whole or line.endswith("\n")]


TOLD = {"hangs": "no answer within 5 s", "aborts": "SIGABRT", "reads_nowhere": "SIGSEGV", "eats": "more than 0.5 GiB"}
"""What is said of the functions of ``suite.meta.faulty``."""


@pytest.mark.parametrize(("processes", "chosen"), [("0", list(TOLD)), ("2", ["aborts"])], ids=["alone", "xdist"])
def test_functions_that_take_their_process_with_them_are_named(tmp_path: Path, processes: str, chosen: list[str]) -> None:
    """One hangs, one aborts, one reads where no memory is, one takes all there is: each is an error of its own, and the rest is judged."""
    names = f"value_within_bound and ({' or '.join(['right', *chosen])})"
    limits = ("--time-limit=5", "--memory-limit=0.5")
    done = suite(f"--implementations={FAULTY}", "--dtype=float32", "-k", names, f"-n{processes}", f"--report={tmp_path}", *limits)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {r["case"]["implementation"]: (r["status"], r["message"]) for r in written(tmp_path) if r["kind"] == "record"}
    assert found.pop("faulty.right")[0] == "pass"
    assert {name: status for name, (status, _) in found.items()} == {f"faulty.{name}": "error" for name in chosen}
    report = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "html").glob("findings*.html"))
    for name in chosen:
        assert TOLD[name] in found[f"faulty.{name}"][1]
        assert f"at the value of sigmoid-faulty.{name}-eager-float32" in done.stdout
        assert TOLD[name] in report
