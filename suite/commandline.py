"""What the suite's own commands share: options that are lists of names, backends with modes or numbers, and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from suite.backends import backends

INTERRUPTED, UNUSABLE = 2, 4
"""Exit codes beside 0 and 1."""


def unknown(name: str, known: Iterable[str]) -> str:
    """What is said of a name in a list that is none of those that are known."""
    return f"{f'unknown {name!r}' if name else 'an empty name'}; known are {', '.join(known)}"


def listed(known: Iterable[str]) -> Callable[[str], list[str]]:
    """An option's type: names out of those that are known, with commas."""
    names = list(known)

    def read(text: str) -> list[str]:
        found = [part.strip() for part in text.split(",")]
        for name in found:
            if name not in names:
                raise argparse.ArgumentTypeError(unknown(name, names))
        return found

    return read


def with_modes(text: str) -> list[tuple[str, str]]:
    """An option's type: backends, each perhaps in one mode, ``jax:jit``; empty where none is named."""
    found = []
    for part in text.split(","):
        name, _, mode = part.strip().partition(":")
        listed(backends())(name)
        if mode and mode not in backends()[name].modes:
            raise argparse.ArgumentTypeError(f"{name} has no mode {mode!r}; it has {', '.join(backends()[name].modes)}")
        found.append((name, mode))
    return found


def positive(text: str) -> float:
    """An option's type: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def complain(text: str) -> None:
    """Says at once what is wrong, while a command goes on."""
    print(text, file=sys.stderr, flush=True)


class Parser(argparse.ArgumentParser):
    """A wrong option ends with the exit code that it has everywhere in the suite; 2 says that a run was interrupted."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and where to look."""
        self.exit(UNUSABLE, f"error: {message}; see {self.prog} --help\n")
