"""Puts a report's files where an earlier report may be: all of them or none, and never the pages of two reports side by side."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_MANIFEST = "report-files.json"
_UNFINISHED = ".unfinished-"


def put(output: Path, files: Iterable[tuple[str, str | bytes]]) -> None:
    """Writes files, by their paths in a directory, beside it first; once all are there, they take the places of the earlier report's.

    A build that fails or is interrupted leaves the earlier report as it was. Raises ``OSError`` on a directory that cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    with _locked(output):
        _remove_abandoned(output)
        folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=output))
        mine = contextlib.ExitStack()
        mine.enter_context(_locked(folder))
    with mine:
        try:
            names = [_write(folder, name, content) for name, content in files]
            with _locked(output):
                for name in names:
                    (output / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).replace(output / name)
                _remove_stale(output, folder, set(names))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    return name


def _remove_stale(output: Path, folder: Path, written: set[str]) -> None:
    """Removes the pages of an earlier report in this directory that this one does not have, and no other file."""
    manifest = output / _MANIFEST
    try:
        earlier = set(json.loads(manifest.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        earlier = set()
    for name in earlier - written:
        path = output / str(name)
        if path.suffix in (".html", ".js", ".png", ".svg") and output.resolve() in path.resolve().parents:
            path.unlink(missing_ok=True)
    _write(folder, _MANIFEST, json.dumps(sorted(written)))
    (folder / _MANIFEST).replace(manifest)


def _remove_abandoned(output: Path) -> None:
    """What builds have left that were killed; a build that is at work holds the lock of its folder."""
    for folder in output.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(folder, fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """While the block runs no other process has the folder's lock; where the file system has no locks there is none."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        except BlockingIOError:
            raise
        except OSError:  # such as a network's file system
            pass
        yield
    finally:
        os.close(descriptor)
