"""What is compared: results with a baseline, and two releases with each other, in numerics and in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from suite.model.checking import Case, known

Direction = Literal["worse", "better", "changed"]
"""Of numerics. ``worse``: fails, or loses digits, where the old release did not. ``changed``: other bits of the same quality."""

Kinship = Literal["same", "other versions", "other CPU", "none"]
"""How much a baseline's platform has in common with the one at hand, and so what of its grades means something there."""

Speed = Literal["faster", "slower", "same", "cannot tell", "not measured"]
"""Of time. ``cannot tell``: the launches that there were do not decide it."""


def number(value: Any) -> float | None:
    """A number as a result file has it: infinities and NaN, which JSON lacks, come as strings."""
    return None if value is None else float(value)


@dataclass(frozen=True)
class Held:
    """What a run held a backend's accuracy against.

    ``baseline`` is the file's name, empty if no baseline is known for the backend; ``platform`` is the stem that a baseline of the
    platform at hand has. ``versions`` are those that it was recorded with: where they differ, beside those at hand. Of the ``graded``
    results so many were ``compared``, the others are not on record; so many of these have got ``worse``, or ``better``.
    """

    backend: str
    platform: str
    baseline: str
    kinship: Kinship
    versions: str = ""
    graded: int = 0
    compared: int = 0
    worse: int = 0
    better: int = 0


@dataclass(frozen=True)
class Side:
    """One of the two releases: what was asked for, and the distributions that are installed in its environment, with their versions.

    ``error`` says why it could not be used.
    """

    name: Literal["old", "new"]
    wanted: str
    python: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Change:
    """What differs between the results of a case in two releases, as a check sees it.

    ``elements`` of the ``compared`` results of ``output`` (``value``, ``d logits``) are worse, better, or other bits. One of them is
    shown: ``worst`` is its input, floats as hexadecimal strings, ``old`` and ``new`` what the releases return for it, ``exact`` and
    ``limit`` what the check wants. ``extra`` has grades of both, by name with ``old`` or ``new`` in front.
    """

    case: Case
    check: str
    direction: Direction
    output: str = ""
    elements: int = 0
    compared: int = 0
    worst: Mapping[str, Any] = field(default_factory=dict)
    old: float | None = None
    new: float | None = None
    exact: float | None = None
    limit: float | None = None
    message: str = ""
    reproduction: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data; the inverse of :meth:`from_json`."""
        return {"kind": "change", **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Change:
        """From what :meth:`to_json` wrote; raises ``KeyError``, ``TypeError`` or ``ValueError`` on anything else."""
        numbers = {name: number(data.get(name)) for name in ("old", "new", "exact", "limit")}
        return cls(**{**known(cls, data), **numbers, "case": Case(**known(Case, data["case"]))})


@dataclass(frozen=True)
class Ratio:
    """The time of the new release over that of the old one for a cell: a case, forward or with its gradient, on a workload.

    ``low`` and ``high`` are the ends of the confidence interval of ``ratio``, ``old`` and ``new`` seconds of a call. ``launches`` are
    the processes of each release that were timed; ``needed`` says, where it cannot be told, how many would probably decide it.
    """

    case: Case
    what: str
    workload: str
    verdict: Speed
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    launches: int = 0
    needed: int | None = None
    old: float | None = None
    new: float | None = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data; the inverse of :meth:`from_json`."""
        return {"kind": "ratio", **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Ratio:
        """From what :meth:`to_json` wrote; raises ``KeyError``, ``TypeError`` or ``ValueError`` on anything else."""
        numbers = {name: number(data.get(name)) for name in ("ratio", "low", "high", "old", "new")}
        return cls(**{**known(cls, data), **numbers, "case": Case(**known(Case, data["case"]))})
