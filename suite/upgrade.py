"""Two releases beside each other: what the checks say of the one and not of the other.

Every check asks both for the same results. Where all bits are the same there is nothing to judge; elsewhere both are judged, against the
exact result and by the same bounds, element by element (:mod:`suite.differing`). Known failures play no part, since what fails in both
is no change, but their witnesses are inputs too: rare ones, at which something has been wrong before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import judging, verdicts
from suite.batch import BLOCK_ROWS, Batch
from suite.checks import Check, checks
from suite.checks.base import Question, Verdict
from suite.differing import Finding, Pair, Place, aligned, findings, units_between
from suite.floats import FORMATS, Format
from suite.inputs import ELEMENTS
from suite.model import Case, Change, Direction
from suite.operations import operations
from suite.processes import Absent, WorkerError
from suite.release import Refusal, Release, told
from suite.reproduction import script
from suite.session import Judgement
from suite.shards import Output

TRIED = 4
"""Batches in which an element is looked for that a script shows to fail in the one release and to hold in the other."""


@dataclass
class Upgrade:
    """The comparison of two releases, check by check."""

    old: Release
    new: Release

    def __post_init__(self) -> None:
        self.old.other, self.new.other = self.new, self.old
        self._same_bits: dict[tuple[Case, str, str], bool] = {}
        self._refused: set[tuple[Case, str, str]] = set()
        self._told: set[tuple[Case, str]] = set()

    @property
    def dead(self) -> list[str]:
        """What processes died of, or hung at."""
        sides = (("old", self.old), ("new", self.new))
        return [f"{side}: {told(*asked)}: {text}" for side, release in sides for asked, text in release.dead.items()]

    def announce(self, work: Sequence[tuple[Check, Case]], outputs: Sequence[Output]) -> None:
        """Queues what will be asked, so that both releases compile at once."""
        for release in (self.old, self.new):
            release.announce(work)
            release.announce_sweeps(outputs)

    def forget(self, cases: Collection[Case]) -> None:
        """Drops the answers of cases that are done with."""
        for release in (self.old, self.new):
            release.processes.forget(lambda key: key[0] in cases or key[1] in cases)

    def compare(self, check: Check, case: Case) -> list[Change]:
        """What a check sees of a case that is there in both releases."""
        changes: list[Change] = []
        pairs: list[Pair] = []
        for batch in self.old.batches_for(check, case):
            if self._same(check, case, batch):
                continue
            old, new = self.old.verdicts(check, case, batch), self.new.verdicts(check, case, batch)
            if isinstance(old, Refusal) or isinstance(new, Refusal):
                changes += self._refusal(old, new)
            else:
                pairs += aligned(batch, old, new)
                changes += self._dtypes(check, case, batch)
        return changes + self._changes(check, case, pairs, check.name)

    def compare_sweep(self, output: Output) -> list[Change]:
        """What differs over all inputs of a format."""
        case, name = output.case, f"sweep {output.what}"
        old, new = self.old.swept(output), self.new.swept(output)
        if isinstance(old, Refusal) or isinstance(new, Refusal):
            return self._refusal(old, new)
        if old["digest"] == new["digest"]:
            return []
        facts = self.old.facts(case)
        pairs: dict[str, list[Pair]] = {}
        for (check, batch, before), (_, _, after) in zip(*(verdicts.judged(output, a, facts) for a in (old, new)), strict=True):
            pairs.setdefault(check.name, []).append(Pair(batch, before, after))
        found = [c for check, mine in pairs.items() for c in self._changes(checks()[check], case, mine, name)]
        telling = [c for c in found if c.direction != "changed"]
        return telling or found[:1] or [Change(case, name, "changed", message="other results, where none is judged")]

    # Whether anything differs

    def _same(self, check: Check, case: Case, batch: Batch) -> bool:
        """Whether both releases answer everything that a check asks with the same bits.

        One that makes inputs of answers has to be run.
        """
        asked = [(case, batch, check.asks), *self.old.asks_also(check, case, batch)]
        return not check.sequential and all(self._same_answer(*one) for one in asked)

    def _same_answer(self, case: Case, batch: Batch, question: Question) -> bool:
        key = (case, batch.key, question)
        if key not in self._same_bits:
            self._same_bits[key] = self.old.bits(case, batch, question) == self.new.bits(case, batch, question)
        return self._same_bits[key]

    # From what differs to changes

    def _changes(self, check: Check, case: Case, pairs: Sequence[Pair], name: str) -> list[Change]:
        """The changes of each output. Accuracy checks tell of other bits; another one only where none has."""
        made = []
        for output in dict.fromkeys(p.output for p in pairs):
            mine = [p for p in pairs if p.output == output]
            graded = any("max ulp" in p.new.grades for p in mine)
            for finding in findings(FORMATS[case.dtype], mine):
                if finding.direction != "changed" or graded or (case, output) not in self._told:
                    made.append(self._change(check, case, mine, finding, name))
                self._told.add((case, output))
        return made

    def _change(self, check: Check, case: Case, pairs: Sequence[Pair], finding: Finding, name: str) -> Change:
        place, text = self._shown(check, case, finding)
        by = place.pair.old if finding.direction == "better" else place.pair.new
        judgement = Judgement(place.pair.batch, replace(by, score=place.rank), place.mask)
        worst = judgement.worst
        assert worst is not None
        old, new, exact, limit = (float(a[worst]) for a in (place.pair.old.got, place.pair.new.got, by.expected, by.limit))
        message = _message(check, case, judgement, finding, old, new)
        if message and not text:
            selected = f"--backend={case.backend}:{case.mode} --operation={case.operation} --dtype={case.dtype}"
            message += f"\nreplay: {self.new.command} {selected}"
        return Change(
            case, name, finding.direction, place.pair.output, finding.elements, sum(p.compared for p in pairs),
            judging.readable(judgement.example()), old, new, exact, limit, message, text, _graded(FORMATS[case.dtype], pairs),
        )  # fmt: skip

    def _shown(self, check: Check, case: Case, finding: Finding) -> tuple[Place, str]:
        """The element to show, with a script that fails in the release where it is wrong, and does not in the other, if there is one."""
        places = [_isolated(p) for p in finding.places if p.mask.any()]
        if finding.direction != "changed":
            for place in places[:TRIED]:
                if text := self._script(check, case, place, finding.direction == "worse"):
                    return place, text
        return places[0], ""

    def _script(self, check: Check, case: Case, place: Place, worse: bool) -> str:
        """The lines; empty where no single call of the implementation tells the releases apart.

        Where the check's own limit does not, as of lost digits or of a law of zeros, the limit lies between the two errors.
        """
        by, against = (self.new, self.old) if worse else (self.old, self.new)
        wrong = place.pair.new if worse else place.pair.old
        try:
            found = judging.failure(by, check, case, Judgement(place.pair.batch, replace(wrong, score=place.rank), place.mask))
            number = judging.shown(against, case, found) if found else None
        except (WorkerError, Absent):
            return ""
        if found is None or number is None:
            return ""
        error, other = abs(found.got - found.expected), abs(number - found.expected)
        if check.against == "exact" and other < error and (not found.decisive or replace(found, got=number).decisive):
            found = replace(found, limit=0.5 * (error + other))
        tells = found.decisive and not replace(found, got=number).decisive
        return script(operations()[case.operation], by.implementation(case), case, found) if tells else ""

    def _dtypes(self, check: Check, case: Case, batch: Batch) -> list[Change]:
        """What is to be said of results of another dtype."""
        old, new = (release.dtypes(case, batch, check.asks) for release in (self.old, self.new))
        key = (case, f"dtypes of {check.asks}")
        if old == new or not (old and new) or key in self._told:
            return []
        self._told.add(key)
        return [Change(case, check.name, "changed", check.asks, message=f"{case.id}: the {check.asks} is {new}, and was {old}")]

    def _refusal(self, old: Any, new: Any) -> list[Change]:
        """What is to be said where one release, and one alone, gives no answer; once for each way to ask.

        An answer where there was none is better, unless it is a wrong one.
        """
        if isinstance(old, Refusal) and isinstance(new, Refusal):
            return []
        refusal, side, release = (new, "new", self.new) if isinstance(new, Refusal) else (old, "old", self.old)
        if refusal.asked in self._refused:
            return []
        self._refused.add(refusal.asked)
        case, question, _ = refusal.asked
        wrong = side == "old" and isinstance(new, list) and any(v.violated.any() for v in new)
        direction: Direction = "worse" if side == "new" else "changed" if wrong else "better"
        other = "the old one answers" if side == "new" else f"the new one answers{', wrongly' if wrong else ''}"
        message = f"{told(*refusal.asked)}: the {side} release gives no answer, {other}: {refusal.text}"
        text = ""
        if batch := refusal.batch:
            text = script(operations()[case.operation], release.implementation(case), case, refusal.failure(batch))
        return [Change(case, "answers", direction, question, message=message, reproduction=text)]


def _message(check: Check, case: Case, judgement: Judgement, finding: Finding, old: float, new: float) -> str:
    """What a reader is told; nothing of other bits."""
    if finding.direction == "changed":
        return ""
    if finding.digits:
        head = f"{case.id}: {check.name} holds for {judgement.verdict.output} in both releases, but {finding.digits}"
        return f"{head}\n  input     {judging.shown_input(judgement)}\n  old       {old!r}\n  new       {new!r}"
    other = f"old       {old!r}" if finding.direction == "worse" else f"new       {new!r}"
    return f"{judging.described(check, case, judgement)[0]}\n  {other}"


def _isolated(place: Place) -> Place:
    """Of a sweep's thousands of results the most telling one, in a block of usual size; anything else as it is."""
    if place.pair.batch.label != "sweep":
        return place
    worst = Judgement(place.pair.batch, replace(place.pair.new, score=place.rank), place.mask).worst
    assert worst is not None
    size = BLOCK_ROWS if place.pair.batch.first.ndim > 2 else ELEMENTS
    arrays = {n: np.repeat(a[:, worst[:1]], size, axis=1) for n, a in place.pair.batch.arrays.items()}

    def alone(array: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(array[worst[:1],], size, axis=0)

    old, new = (
        Verdict(v.output, alone(v.score), alone(v.judged), alone(v.got), alone(v.expected), alone(v.limit), v.grades)
        for v in (place.pair.old, place.pair.new)
    )
    return Place(Pair(Batch("alone", arrays), old, new), alone(place.mask), alone(place.rank))


def _graded(fmt: Format, pairs: Sequence[Pair]) -> dict[str, float]:
    """The grades of both, and how far their results are apart."""
    sides = {side: judging.grades([getattr(p, side) for p in pairs]) for side in ("old", "new")}
    found = {f"{side} {name}": value for name in sides["old"] for side in sides if (value := sides[side].get(name)) is not None}
    differing = sum(int(p.differs.sum()) for p in pairs)
    apart = max(float(np.max(units_between(fmt, p), initial=0.0)) for p in pairs)
    return {**found, "results that differ": float(differing), "largest difference (ulp)": apart}
