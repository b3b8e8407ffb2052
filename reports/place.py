"""Puts a report's files where an earlier report may be: once all are written, and never those of two builds mixed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MANIFEST = "report-files.json"
_UNFINISHED = ".unfinished-"


def put(output: Path, files: Iterable[tuple[str, str | bytes]]) -> None:
    """Writes files, by their paths in a directory, beside it first; once all are there, they take the places of the earlier report's.

    A build that fails or is interrupted until then leaves the earlier report as it was, and so does one that finds no way to all of
    the places. The moves themselves are short, and Ctrl-C and SIGTERM wait for their end; what no program can wait for, such as SIGKILL,
    leaves files of both reports if it comes amidst them. Raises ``OSError`` on a directory that cannot be written, and on a path
    that leads out of it.
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
            _write(folder, _MANIFEST, json.dumps(sorted(set(names))))
            with _locked(output):
                _make_way(output, (*names, _MANIFEST))
                stale = _stale(output, set(names))
                with _undisturbed():
                    _move(folder, output, names, stale)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, name: str, content: str | bytes) -> str:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise OSError(errno.EINVAL, "it leads out of the report's directory", name)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    return name


def _make_way(output: Path, names: Iterable[str]) -> None:
    """Makes the directories; raises ``OSError`` where there is a file in a directory's place, or a directory in a file's."""
    for path in (output / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _stale(output: Path, written: set[str]) -> list[Path]:
    """The pages of an earlier report in this directory that this one does not have, and no other file."""
    try:
        earlier = set(json.loads((output / _MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        earlier = set()
    paths = [output / str(name) for name in earlier - written]
    pages = [path for path in paths if path.suffix in (".html", ".js", ".png", ".svg") and path.is_file()]
    return [path for path in pages if output.resolve() in path.resolve().parents]


def _move(folder: Path, output: Path, names: Iterable[str], stale: Iterable[Path]) -> None:
    """The list of what has been written is the last: until then the earlier one names the pages that are to go."""
    for name in names:
        (folder / name).replace(output / name)
    for path in stale:
        path.unlink(missing_ok=True)
    (folder / _MANIFEST).replace(output / _MANIFEST)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """While the block runs Ctrl-C and SIGTERM wait, where this is the main thread, which alone may have them wait."""
    came: list[int] = []
    before: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not None:  # one that is not Python's could not be put back
                    before[number] = signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for again in dict.fromkeys(came):
            signal.raise_signal(again)


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
