"""How facts are written: numbers, times, inputs, names in file names and anchors."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

_SHOWN = 6
"""How many values of a long input are shown; the reproduction holds all of them."""

_LONGEST = 20_000
"""Characters of a message or reproduction that are shown; the result file holds the rest."""

_LINE = 400
"""Characters of one that stands for the whole, where many are listed."""


def number(value: Any) -> str:
    """A number with three significant digits; a dash for none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "–" if value is None else str(value)
    if isinstance(value, int) or (value == int(value) if math.isfinite(value) else False):
        return f"{int(value):,}" if abs(value) < 1e7 else f"{float(value):.3g}"
    return f"{value:.3g}"


def whole(value: int | None) -> str:
    """A count with all its digits; a dash for none."""
    return "–" if value is None else f"{value:,}"


def seconds(value: Any) -> str:
    """A duration with its unit, three significant digits at least."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return number(value)
    if value >= 1000:
        return f"{value:,.0f} s"
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def size(value: Any) -> str:
    """An amount of bytes with its decimal unit, three significant digits."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return number(value)
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} B"


def exact(value: Any, bits: bool = True) -> str:
    """A result with all its digits and its bits, or with six digits; a dash for none. Infinities and NaN may come as strings."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return "–" if value is None else str(value)
    return f"{found!r} ({found.hex()})" if bits and math.isfinite(found) else f"{found:.6g}"


def share(value: Any) -> str:
    """A share of one as a percentage that says 100 % only of the whole."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return number(value)
    text = f"{100 * value:.1f}"
    return f"{'>99.9' if text == '100.0' and value < 1 else text.removesuffix('.0')} %"


def metric(value: Any, name: str) -> str:
    """A metric's value, in the unit that its name carries."""
    return seconds(value) if name.endswith("(s)") else number(value)


def worst(inputs: Mapping[str, Any]) -> str:
    """An input in hexadecimal floats, with its decimal value where it is one number."""
    return ", ".join(f"{name} = {_value(value)}" for name, value in inputs.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(_value(v).split(" (")[0] for v in value[:_SHOWN])
        return f"[{shown}{f', … {len(value):,} values' if len(value) > _SHOWN else ''}]"
    if isinstance(value, str) and re.fullmatch(r"[-+]?0x[0-9a-f.]+p[-+]?\d+", value, re.IGNORECASE):
        try:
            return f"{value} ({float.fromhex(value):.6g})"
        except (OverflowError, ValueError):
            return value
    return str(value)


def short(dtype: str) -> str:
    """A dtype's short name: f32, bf16."""
    return dtype.replace("bfloat", "bf").replace("float", "f")


def slug(name: str, of: str = "") -> str:
    """A name fit for file names and anchors; one that had to be changed, or is short for another, has the hash of the whole behind it."""
    whole = of or name
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:96].strip("-")
    return safe if safe == whole and safe != "index" else f"{safe or 'x'}-{hashlib.sha256(whole.encode()).hexdigest()[: 8 if of else 6]}"


def plural(amount: int, noun: str, many: str = "") -> str:
    """An amount with its noun: 1 check, 2 checks."""
    return f"{amount:,} {noun if amount == 1 else many or noun + 's'}"


def clip(long: str) -> str:
    """A text of bounded length; one that was cut says so."""
    return long if len(long) <= _LONGEST else f"{long[:_LONGEST]}\n… cut here, {len(long):,} characters in the result file"


def line(long: str) -> str:
    """The first line of a text, as much of it as a list shows; one that was cut says so."""
    first = long.split("\n", 1)[0]
    return first if len(first) <= _LINE else f"{first[:_LINE]} …"


def folded(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Names of several parts, those that differ in one part alone together, the last part first: ``f · jax · eager, jit``."""
    found = list(dict.fromkeys(rows))
    for place in range(max(map(len, found), default=0) - 1, 0, -1):
        groups: dict[tuple[str, ...], list[str]] = {}
        for row in found:
            groups.setdefault(row[:place] + row[place + 1 :], []).append(row[place])
        found = [(*rest[:place], ", ".join(parts), *rest[place:]) for rest, parts in groups.items()]
    return [" · ".join(row) for row in found]


def formula(line: str) -> Markup:
    """A formula in a line, escaped, with raised and lowered what stands behind ``^`` and, if it is one letter, behind ``_``."""
    raised = re.sub(r"\^(?:\(([^()]+)\)|([−-]?(?:\|\w+\||\w+)))", lambda m: f"<sup>{m[1] or m[2]}</sup>", str(escape(line)))
    return Markup(re.sub(r"_([a-z])(?![\w])", r"<sub>\1</sub>", raised))  # noqa: S704 - escaped above


def breakable(name: str) -> Markup:
    """A dotted name, escaped, that may be broken after its punctuation."""
    return Markup("<wbr>").join(re.split(r"(?<=[._(,=])", name))
