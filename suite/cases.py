"""Which cases there are, which checks speak of them, and which of all that a profile takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from suite.backends import backends
from suite.batch import BLOCK_ROWS, FORMS, Form
from suite.checks import Check
from suite.floats import FORMATS
from suite.model import Case, Implementation, Operation
from suite.operations import operations
from suite.shards import Output


@dataclass(frozen=True)
class Profile:
    """How deep a run goes: shapes ``(B, n)`` of rows, and the dtypes that masks, weights and other axes are checked at.

    The number of generated blocks is Hypothesis' own ``max_examples``. What :func:`taken` takes depends on the ``breadth``. A ``thin``
    profile takes the canonical implementations at float32 in every mode and at each other dtype in one mode, the other implementations
    at float32 in one mode, identities at float32 alone, and thorough checks in one mode at one dtype. A ``wide`` one takes thorough
    checks of canonical implementations at float32 in every mode and at each other dtype in one, of the other implementations at float32
    in one; where they have to be compiled, in one mode and at two dtypes. Both take masks, weights and other axes in one mode, a thin one
    for values alone. Modes and dtypes go round from operation to operation and from check to check.
    """

    rows: tuple[tuple[int, int], ...]
    form_dtypes: tuple[str, ...]
    max_examples: int
    breadth: Literal["thin", "wide", "all"] = "all"

    @property
    def thin(self) -> bool:
        """Whether even of what is taken not everything is asked."""
        return self.breadth == "thin"


_USUAL = (BLOCK_ROWS, 9)
PROFILES = {
    "quick": Profile((_USUAL,), ("float32",), 6, "thin"),
    "ci": Profile((_USUAL,), ("float32", "bfloat16"), 20, "wide"),
    "nightly": Profile((_USUAL, (64, 1), (64, 4), (32, 7), (32, 8), (8, 64), (8, 120), (8, 1023)), tuple(FORMATS), 100),
}


def depth(profile: Profile, narrow: bool) -> Profile:
    """How deep a run goes; a ``narrow`` selection, asked for by name, at least as deep as ``ci``, but for generated blocks and shapes."""
    ci = PROFILES["ci"]
    return replace(profile, breadth=ci.breadth, form_dtypes=ci.form_dtypes) if narrow and profile.thin else profile


@cache
def implementations() -> dict[tuple[str, str, str], Implementation]:
    """Every implementation by backend, operation and name."""
    return {(i.backend, i.operation, i.name): i for b in backends().values() for i in b.implementations}


def all_cases(device: str = "cpu") -> Iterator[Case]:
    """Every case that the tables name, operation by operation so that all backends have work from the start."""
    for operation in operations():
        for backend in backends().values():
            for found in backend.implementations:
                if found.operation == operation:
                    yield from cases_of(found, device)


def cases_of(found: Implementation, device: str = "cpu") -> Iterator[Case]:
    """An implementation in every mode, at every dtype."""
    backend = backends()[found.backend]
    for mode in backend.modes:
        for dtype in backend.dtypes:
            if dtype in found.dtypes:
                yield Case(found.operation, found.backend, found.name, mode, dtype, device)


def swept_outputs(case: Case) -> Iterator[Output]:
    """What is swept of a case in a run of the checks: every input of a format of 16 bits, value and derivatives."""
    if FORMATS[case.dtype].bits != 16:
        return
    deepest = 3 if backends()[case.backend].has_gradient else 1
    for place, piece in enumerate(operations()[case.operation].slices):
        if piece.arity == 1:
            yield from (Output(case, place, order) for order in range(min(deepest, len(piece.curves))))


def canonical(backend: str, operation: str) -> Implementation | None:
    """The first implementation in the backend's table: the API that most people use."""
    return next((i for i in backends()[backend].implementations if i.operation == operation), None)


def taken(profile: Profile, check: Check, case: Case, narrow: bool = False) -> bool:
    """Whether a profile takes the check on the case; of a ``narrow`` selection everything but what has to be compiled for a check alone."""
    if profile.breadth == "all" or (profile.breadth == "wide" and not check.thorough) or (narrow and not check.compiles):
        return True
    profile = PROFILES["ci"] if narrow else profile
    if profile.thin and check.family == "equivalence" and case.dtype != "float32":
        return False
    first = canonical(case.backend, case.operation)
    is_canonical = first is not None and case.implementation == first.name
    if not check.thorough:
        return (is_canonical and case.dtype == "float32") or ((is_canonical or case.dtype == "float32") and in_turn(case))
    if not is_canonical and check.among != "other implementations" and (profile.thin or check.compiles or case.dtype != "float32"):
        return False
    turn = in_turn(case, check.name)
    place = list(operations()).index(case.operation) + len(check.name)
    other = _OTHER_DTYPES[place % len(_OTHER_DTYPES)]
    if profile.thin:
        return turn and case.dtype == ("float32" if check.compiles or check.family == "equivalence" or place % 2 else other)
    if check.compiles:
        return turn and case.dtype in ("float32", other)
    return turn or (is_canonical and case.dtype == "float32")


_OTHER_DTYPES = ("bfloat16", "float16", "float64")


def in_thin_sweep(output: Output) -> bool:
    """Whether a thin profile takes a sweep: canonical implementations, each in one mode, without second derivatives."""
    first = canonical(output.case.backend, output.case.operation)
    return output.order < 2 and first is not None and first.name == output.case.implementation and in_turn(output.case)


def in_turn(case: Case, check: str = "") -> bool:
    """Whether the case's mode is the one that a thin profile takes for its operation and dtype, and for a thorough check."""
    modes = backends()[case.backend].modes
    turn = list(operations()).index(case.operation) + list(FORMATS).index(case.dtype) + len(check)
    return case.mode == modes[turn % len(modes)]


def fitting(check: Check, case: Case, declared: Implementation | None = None) -> bool:
    """Whether the check says anything about the case, whose implementation is in the tables unless it is ``declared``."""
    backend = backends()[case.backend]
    operation = operations()[case.operation]
    implementation = declared or implementations()[case.backend, case.operation, case.implementation]
    available = {i.operation for i in backend.implementations if case.dtype in i.dtypes}
    if not set(check.needs(operation)) <= set(implementation.accepts):
        return False
    if check.among == "other modes" and case.mode == backend.modes[0]:
        return False
    if check.among == "other implementations" and canonical(case.backend, case.operation) == implementation:
        return False
    return check.fits(operation, backend.has_gradient, available)


def forms_of(operation: Operation, accepts: Iterable[str]) -> list[Form]:
    """The forms that an operation has, and an implementation takes, beside the plain one."""
    keywords = {*operation.optional, *operation.options}
    keywords |= {"axes"} if "axis" in keywords else set()
    rows = operation.has_rows
    return [f for f in FORMS[1:] if set(f.needs) <= keywords & set(accepts) and (rows or f.view != "transposed")]
