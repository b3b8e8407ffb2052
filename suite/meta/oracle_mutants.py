"""Faulty references: of the oracle's arithmetic, of definitions, of the rounding of formats. Each names the test that it must fail."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import flint
import numpy as np
import pytest

from suite import oracle, reference
from suite.floats import FORMATS, Floats, Format, round_to, to_patterns, ulp
from suite.meta import test_floats as floats_tests
from suite.meta import test_oracle as oracle_tests
from suite.meta import test_reference as reference_tests
from suite.meta.curves import Subject
from suite.model import Operation
from suite.operations import operations
from suite.operations.bounds import logistic
from suite.operations.logistic import sigmoid_ball, softplus_ball

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class OracleMutant:
    """A fault by name; ``plant`` puts it in, after which ``caught_by``, a test of this suite, must fail for ``operation``.

    ``given`` are the test's further arguments.
    """

    name: str
    caught_by: Callable[..., None]
    operation: str
    plant: Plant
    given: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """The test, of the operation as it is defined by now."""
        arguments = dict(self.given)
        wanted = inspect.signature(self.caught_by).parameters
        if "operation" in wanted:
            arguments["operation"] = operations()[self.operation]
        if "name" in wanted:
            arguments["name"] = self.operation
        if "subject" in wanted:
            operation = operations()[self.operation]
            arguments["subject"] = Subject(operation, operation.slices[0], arguments.pop("order"), 0)
        self.caught_by(**arguments)

    @property
    def id(self) -> str:
        """The fault and the test that it fails."""
        of = f" of {self.operation}" if self.operation else ""
        return f"{self.name}{of}, {self.caught_by.__module__.rpartition('.')[2]}.{self.caught_by.__name__}"


# How a fault gets in


def instead(module: Any, name: str, made: Callable[[Any], Any]) -> Plant:
    """Something of a module replaced by what is ``made`` of it."""
    return lambda patch: patch.setattr(module, name, made(getattr(module, name)))


def defined(operation: str, **fields: Any) -> Plant:
    """Fields of an operation's definition replaced."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(operations(), operation, dataclasses.replace(operations()[operation], **fields))

    return plant


def curved(operation: str, order: int = 0, **fields: Any) -> Plant:
    """Fields of a curve of an operation's first slice replaced."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        piece = operations()[operation].slices[0]
        curves = [dataclasses.replace(c, **fields) if place == order else c for place, c in enumerate(piece.curves)]
        defined(operation, slices=(dataclasses.replace(piece, curves=tuple(curves)), *operations()[operation].slices[1:]))(patch)

    return plant


def both(*plants: Plant) -> Plant:
    """Several faults at once."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for each in plants:
            each(patch)

    return plant


# Faults of more than one line


def towards_zero(own: Any) -> Any:
    """A high part that is cut off instead of rounded; the rest makes up for it."""

    def split(ball: Any, last: bool) -> Any:
        found = own(ball, last)
        if found is None or not np.isfinite(found[0]) or found[0] * found[1] >= 0:
            return found
        high = float(np.nextafter(found[0], 0.0))
        return high, float(ball - high)

    return split


def without_rest(own: Any) -> Any:
    """The low part dropped."""
    return lambda ball, last: None if (found := own(ball, last)) is None else (found[0], 0.0)


def hasty(own: Any) -> Any:
    """Content with the first ball whose two ends round to one float64, however few digits are left for the rest."""

    def split(ball: Any, last: bool) -> Any:
        high = float(ball.lower())
        return own(ball, last or high == float(ball.upper()))

    return split


def unmasked(own: Any) -> Any:
    """The mask ignored."""

    class Rows(own):  # type: ignore[misc]  # made of whatever class stands there
        def __init__(self, operation: Operation, arrays: Mapping[str, Any]) -> None:
            super().__init__(operation, {name: array for name, array in arrays.items() if name != "where"})

    return Rows


def unweighted(own: Any) -> Any:
    """Weights ignored."""

    class Rows(own):  # type: ignore[misc]  # made of whatever class stands there
        def __init__(self, operation: Operation, arrays: Mapping[str, Any]) -> None:
            super().__init__(operation, {name: array for name, array in arrays.items() if name != "b"})

    return Rows


def index_unshifted(own: Any) -> Any:
    """A class's index as it was before the mask took others away."""

    def column(self: Any, argument: Any, array: Any) -> Any:
        return array.tolist() if argument.role == "index" else own(self, argument, array)

    return column


def index_one_further(own: Any) -> Any:
    """A class's index among those that the mask leaves, and one more."""

    def column(self: Any, argument: Any, array: Any) -> Any:
        found = own(self, argument, array)
        return [k + 1 for k in found] if argument.role == "index" else found

    return column


def filled_with_zero(own: Any) -> Any:
    """0 for masked entries of a log-softmax."""

    def value(operation: Operation, arrays: Any, options: Any) -> Any:
        exact = own(operation, arrays, options)
        return dataclasses.replace(exact, high=np.where(np.isneginf(exact.high), 0.0, exact.high))

    return value


def ties_away(fmt: Format, high: Any, low: Any = 0.0) -> Floats:
    """Half a unit rounds away from zero."""
    exact = np.asarray(high, dtype=np.float64)
    return round_to(fmt, exact, np.where(np.asarray(low) == 0, np.copysign(1e-300, exact), low))


def cut_off(fmt: Format, values: Any) -> Any:
    """Patterns of the next number towards zero."""
    with np.errstate(all="ignore"):
        return to_patterns(fmt, np.where(np.isfinite(values), values - np.copysign(0.4999 * ulp(fmt, values), values), values))


def squared_focus(patch: pytest.MonkeyPatch) -> None:
    """A focal loss whose gamma is 2, whatever is asked for."""
    own = operations()[FOCAL].value
    defined(FOCAL, value=lambda x, y, gamma, alpha: own(x, y, 2.0, alpha))(patch)


def logistic_in_double(x: Floats) -> Floats:
    """e^x/(1 + e^x), which overflows."""
    return np.asarray(np.exp(x) / (1.0 + np.exp(x)))


def softplus_of_log(x: Floats) -> Floats:
    """log(1 + e^x), which cancels."""
    return np.asarray(np.log(1.0 + np.exp(x)))


HALF = {"fmt": FORMATS["float16"]}
SPLIT, COLUMN = "_split", "_column"
ROWS = oracle._Rows  # noqa: SLF001 - a fault in its inside
VALUES, GRADIENTS = oracle_tests.test_values, oracle_tests.test_gradients
AT_16 = reference_tests.test_correct_rounding_at_16_bits
CE_LOGITS, BCE_LOGITS = "softmax_cross_entropy_with_logits", "binary_cross_entropy_with_logits"
SPARSE = "sparse_softmax_cross_entropy_with_logits"
CE, SQUARED, FOCAL = "categorical_cross_entropy", "sigmoid_squared_error", "binary_focal_cross_entropy"

ARITHMETIC = (
    OracleMutant("the high part cut off", VALUES, "sigmoid", instead(oracle, SPLIT, towards_zero)),
    OracleMutant("the low part dropped", VALUES, "sigmoid", instead(oracle, SPLIT, without_rest)),
    OracleMutant("the low part dropped", GRADIENTS, "softmax", instead(oracle, SPLIT, without_rest)),
    OracleMutant("53 bits", VALUES, "exp", instead(oracle, "PRECISIONS", lambda own: (53,))),
    OracleMutant("128 bits and no more", GRADIENTS, BCE_LOGITS, instead(oracle, "PRECISIONS", lambda own: (128,))),
    OracleMutant("content with the first digits", VALUES, "tanh", both(
        instead(oracle, SPLIT, hasty), instead(oracle, "PRECISIONS", lambda own: (64, *own)))),
    OracleMutant("zero for what is small", GRADIENTS, SQUARED, instead(oracle, "_NEGLIGIBLE", lambda own: flint.arb(1))),
    OracleMutant("the mask ignored", oracle_tests.test_masks, "softmax", instead(oracle, "_Rows", unmasked)),
    OracleMutant("the mask ignored", oracle_tests.test_masked_labels, CE_LOGITS, instead(oracle, "_Rows", unmasked)),
    OracleMutant("masked entries are 0", oracle_tests.test_masks, "log_softmax", instead(oracle, "value", filled_with_zero)),
    OracleMutant("the class as before the mask", oracle_tests.test_masked_gradients, SPARSE, instead(ROWS, COLUMN, index_unshifted)),
    OracleMutant("the class one further", VALUES, SPARSE, instead(ROWS, COLUMN, index_one_further)),
    OracleMutant("weights ignored", oracle_tests.test_weights, "logsumexp", instead(oracle, "_Rows", unweighted)),
)  # fmt: skip

DEFINITIONS = (
    OracleMutant("the wrong sign", GRADIENTS, "sigmoid", defined("sigmoid", gradient=lambda x: [-(x.exp() / (1 + x.exp()) ** 2)])),
    OracleMutant("half of it", GRADIENTS, SQUARED, defined(SQUARED, gradient=lambda x, y: [
        (sigmoid_ball(x) - y) * sigmoid_ball(x) * sigmoid_ball(-x)])),
    OracleMutant("log(1 + x) at 128 bits", VALUES, "log1p", both(
        defined("log1p", value=lambda x: (1 + x).log()), instead(oracle, "PRECISIONS", lambda own: (128,)))),
    OracleMutant("labels exchanged", VALUES, BCE_LOGITS, defined(
        BCE_LOGITS, value=lambda x, y: y * softplus_ball(x) + (1 - y) * softplus_ball(-x))),
    OracleMutant("not normalised", VALUES, CE, defined(CE, value=lambda p, y: -sum(v * q.log() for q, v in zip(p, y, strict=True)))),
    OracleMutant("over masked elements too", VALUES, "masked_mean", defined("masked_mean", value=lambda v, m: sum(v) / len(v))),
    OracleMutant("gamma is always 2", oracle_tests.test_focal_options, FOCAL, squared_focus, {"gamma": 0.5, "alpha": 0.25}),
    OracleMutant("0 at infinity", oracle_tests.test_special_values, "sigmoid", defined("sigmoid", special={inf: 0.0, -inf: 0.0})),
    OracleMutant("a number outside the domain", oracle_tests.test_special_values, "log", defined(
        "log", value=lambda x: abs(x).log(), domain=(-inf, inf))),
    OracleMutant("a slope at the kink", oracle_tests.test_no_gradient_at_special_points, "relu", defined("relu", kinks=())),
)  # fmt: skip

ROUNDING = (
    OracleMutant("ties away from zero", floats_tests.test_between_neighbours_as_the_types_own_cast, "",
                 instead(floats_tests, "round_to", lambda own: ties_away), {**HALF, "share": 0.5}),
    OracleMutant("the low part dropped", floats_tests.test_low_decides_ties, "",
                 instead(floats_tests, "round_to", lambda own: lambda fmt, high, low=0.0: own(fmt, high)), HALF),
    OracleMutant("the low part dropped", reference_tests.test_a_tie_and_something_negative_rounds_down, "",
                 instead(reference, "round_to", lambda own: lambda fmt, high, low=0.0: own(fmt, high)), HALF),
    OracleMutant("no question left open", reference_tests.test_a_tie_and_something_positive_rounds_up, "",
                 instead(reference, "ERROR", lambda own: -(2.0**-51)), HALF),
    OracleMutant("cut off", AT_16, "sigmoid", instead(reference, "to_patterns", lambda own: cut_off), {**HALF, "order": 0}),
    OracleMutant("e^x/(1 + e^x) in double", AT_16, "sigmoid", curved("sigmoid", compute=logistic_in_double), {**HALF, "order": 0}),
    OracleMutant("log(1 + e^x) in double", AT_16, "softplus", curved("softplus", compute=softplus_of_log), {**HALF, "order": 0}),
    OracleMutant("an asymptote from 2 on", AT_16, "softplus", curved("softplus", straight=(None, (2.0, 1.0))), {**HALF, "order": 0}),
    OracleMutant("rising, it is said", reference_tests.test_a_shortcut_needs_a_trend, "", curved(SQUARED, 1, trend=(1, 1))),
    OracleMutant("0 at infinity", reference_tests.test_special_inputs, "sigmoid",
                 curved("sigmoid", compute=lambda x: np.where(np.isinf(x), 0.0, logistic(x))), {"dtype": "float16"}),
)  # fmt: skip

ORACLE_MUTANTS = (*ARITHMETIC, *DEFINITIONS, *ROUNDING)
