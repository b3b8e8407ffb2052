"""Which checks reject which mutants: measured, and kept in ``fixtures/kills.json``. ``python -m suite.meta.kills`` writes the file.

How exp, log and their like round differs between CPUs, so that a check may reject a mutant on one and let it pass on another. Each mutant
is therefore measured several times: with this CPU's functions, with better ones, and with ones that are wrong by up to :data:`OFF` units
in the last place, at random. Checks that reject it every time are certain, those that do so now and then depend on ``rounding``. A
mutant's own checks have to be certain. On any CPU every certain check has to reject it, and no check that is neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from tqdm import tqdm

from reports.progress import Progress
from suite import records
from suite.checks import checks
from suite.commandline import Parser
from suite.meta.formulas import SOUND_FAILS
from suite.meta.mutants import MUTANTS, Mutant
from suite.meta.subjects import violations
from suite.operations import operations
from suite.processes import FrameworkError

FILE = records.KILLS

DISTURBED = ("exp", "exp2", "expm1", "log", "log2", "log1p", "tanh")
"""The functions that CPUs round differently."""

OFF = 2
"""Units in the last place: about as far as NumPy's own versions of one function are apart."""

WELL_ROUNDED = 0
SEEDS = (1, 2, 3)
"""Each is one measurement with disturbed functions; the first with functions evaluated in a wider format and rounded."""


@dataclass(frozen=True)
class Row:
    """What is known of a mutant: the checks ``meant`` for it, those that ``also`` reject it, and those that ``rounding`` lets reject it."""

    mutant: str
    operation: str
    dtype: str
    form: str
    meant: tuple[str, ...]
    also: tuple[str, ...]
    rounding: tuple[str, ...]

    @property
    def certain(self) -> set[str]:
        """The checks that reject it on every CPU."""
        return {*self.meant, *self.also}

    def line(self) -> str:
        """The row as it stands in the file: on one line, without what is empty."""
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return json.dumps({k: v for k, v in fields.items() if v or k in ("meant", "also")}, ensure_ascii=False)


def killers(mutant: Mutant) -> set[str]:
    """The checks that reject a mutant, of all that fit it, on the inputs of a short run. One that gets no results rejects it too.

    A check that rejects the sound formula as well says nothing of the mutant, unless it is made for that.
    """
    found = set()
    for check in checks().values():
        telling = check.name in mutant.meant or mutant.operation not in SOUND_FAILS.get(check.name, ())
        inputs = mutant.inputs(check) if telling and mutant.fits(check) else ()
        try:
            if inputs and violations(check, mutant.subject, inputs):
                found.add(check.name)
        except FrameworkError:
            found.add(check.name)
    return found


def measured(mutant: Mutant) -> Row:
    """A mutant's row, from several measurements; raises ``ValueError`` where it is not certain that its own checks reject it."""
    found = [killers(mutant)]
    for seed in (WELL_ROUNDED, *SEEDS):
        with disturbed(seed):
            found.append(killers(mutant))
    always, ever = set.intersection(*found), set.union(*found)
    if lost := set(mutant.meant) - always:
        raise ValueError(
            f"{mutant.id}: it takes luck for {', '.join(sorted(lost))} to reject it: {'now and then' if lost & ever else 'never'}"
        )
    order = {name: place for place, name in enumerate(checks())}
    also, rounding = (tuple(sorted(names, key=order.__getitem__)) for names in (always - set(mutant.meant), ever - always))
    return Row(mutant.id, mutant.operation, mutant.dtype, mutant.form, mutant.meant, also, rounding)


@contextmanager
def disturbed(seed: int) -> Iterator[None]:
    """NumPy with other elementary functions: well rounded, or each result off by up to :data:`OFF` units, the same for the same input.

    What every library has right stays so: zeros, infinities, NaN, f(0), and on which side of ±1 a result lies.
    """
    with ExitStack() as stack:
        for name in DISTURBED:
            own = getattr(np, name)
            stack.enter_context(mock.patch.object(np, name, _disturbed(own, seed) if seed != WELL_ROUNDED else _well_rounded(own)))
        yield


def _well_rounded(function: Callable[..., Any]) -> Callable[..., Any]:
    def better(x: Any) -> Any:
        given = np.asarray(x)
        return np.asarray(function(given.astype(np.longdouble if given.itemsize > 4 else np.float64))).astype(given.dtype)

    return better


def _disturbed(function: Callable[..., Any], seed: int) -> Callable[..., Any]:
    def wrong(x: Any) -> Any:
        right = np.asarray(function(x))
        off = OFF if right.itemsize > 2 else 1
        # A number's bits, multiplied by an odd constant, say by how much: like a kernel's error it is the same wherever the number stands.
        # Monotone these functions are not; whether a CPU's are is its own affair, and so is_monotone is seldom certain.
        bits = np.asarray(x, np.float64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15 + 2 * seed)
        steps = (bits >> np.uint64(40)).astype(np.int64) % (2 * off + 1) - off
        moved = right + (steps * np.spacing(np.abs(right)).astype(np.float64)).astype(right.dtype)
        size = np.where(np.abs(right) <= 1, np.minimum(np.abs(moved), 1), np.maximum(np.abs(moved), 1))
        exact = ~np.isfinite(right) | (right == 0) | (np.asarray(x) == 0)
        return np.where(exact, right, np.copysign(size, right).astype(right.dtype))

    return wrong


def text(rows: Iterable[Row]) -> str:
    """The file: one mutant in each line, in the operations' order and by name."""
    place = {name: i for i, name in enumerate(operations())}
    ordered = sorted(rows, key=lambda row: (place[row.operation], row.mutant))
    return "[\n" + ",\n".join(row.line() for row in ordered) + "\n]\n"


def stored() -> dict[str, Row]:
    """The file's rows by mutant."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    lists = ("meant", "also", "rounding")
    made = [Row(**{**row, **{name: tuple(row.get(name, ())) for name in lists}}) for row in rows]
    return {row.mutant: row for row in made}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures all mutants and writes the file."""
    described = f"Measures which checks reject which mutants, and writes {FILE}."
    Parser(prog="python -m suite.meta.kills", description=described, allow_abbrev=False).parse_args(arguments)
    rows: list[Row] = []
    with Progress("", log=True) as told:
        for mutant in tqdm(MUTANTS, unit=" mutants", disable=None, dynamic_ncols=True):
            told.text = f"{len(rows)} of {len(MUTANTS)} mutants"
            rows.append(measured(mutant))
    FILE.write_text(text(rows), encoding="utf-8")
    print(f"{FILE}: {len(MUTANTS)} mutants, {len(checks())} checks")


if __name__ == "__main__":
    main()
