"""Lines of result files as data: JSON and nothing else, in bounded pieces, with what a page could not show left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

LONGEST = 32 * 2**20
"""Bytes of a line that are read; a longer one is an error."""

_DIGITS = 19
"""Of a whole number at most, since a count fits into 64 bits; one with more is taken as a float, and may be infinite."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def lines(stream: BinaryIO, first: int = 1, stop: int | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Each line from here on, up to the place ``stop``: its place in the file, its number, the line; ``ValueError`` on one too long."""
    number, place = first, stream.tell()
    while stop is None or place < stop:
        line = stream.readline(LONGEST + 1)
        if not line:
            return
        yield place, number, line
        number += 1
        place += len(line)


def parse(line: bytes) -> Any:
    """The data of a line; raises ``ValueError`` on what is no JSON, or more of it than anyone writes."""
    if len(line) > LONGEST:
        raise ValueError(f"the line is longer than {LONGEST:,} bytes")
    try:
        data = _DECODER.decode(line.decode("utf-8-sig" if line.startswith(b"\xef\xbb\xbf") else "utf-8"))
        return _mended(data) if b"\\ud" in line or b"\\uD" in line else data
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def cut_off(line: bytes) -> bool:
    """Whether a line that cannot be parsed may be what a killed process left: the beginning of an object, and no end of a line."""
    return line.startswith(b"{") and not line.endswith(b"\n") and len(line) <= LONGEST


def _mended(data: Any) -> Any:
    """Halves of surrogate pairs, which JSON can write and nothing can encode, become question marks."""
    if isinstance(data, str):
        return _SURROGATE.sub("?", data)
    if isinstance(data, list):
        return [_mended(each) for each in data]
    if isinstance(data, dict):
        return {_mended(key): _mended(each) for key, each in data.items()}
    return data


def _whole(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_whole)
