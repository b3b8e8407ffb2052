"""Messages between the suite and a framework's process: a JSON header and raw arrays, over a pair of pipes.

Nothing is executed on reading, any NumPy can speak it, and every float64 comes through bit for bit.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Message = tuple[dict[str, Any], dict[str, NDArray[Any]]]

_LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Writes one message and flushes."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    layout = [(name, array.dtype.str, list(np.shape((arrays or {})[name]))) for name, array in contiguous.items()]
    head = json.dumps({"header": header, "arrays": layout}).encode()
    stream.write(_LENGTH.pack(len(head)))
    stream.write(head)
    stream.writelines(array.tobytes() for array in contiguous.values())
    stream.flush()


def receive(stream: IO[bytes]) -> Message:
    """Reads one message; raises ``EOFError`` where the other side has gone."""
    head = json.loads(_exactly(stream, _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]))
    arrays = {}
    for name, dtype, shape in head["arrays"]:
        count = int(np.prod(shape, dtype=np.int64))
        data = _exactly(stream, count * np.dtype(dtype).itemsize)
        arrays[name] = np.frombuffer(data, dtype=dtype).reshape(shape)
    return head["header"], arrays


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError("the other process has closed its end")
    return data
