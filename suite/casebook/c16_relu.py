"""C16: relu, its graph and its definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends import backends
from suite.backends.base import numpy_dtype
from suite.backends.training import Dense, Training
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Format
from suite.lab import Lab
from suite.model import Axis, Implementation

if TYPE_CHECKING:
    from suite.casebook.account import Account

PATTERNS = np.arange(1 << 16, dtype=np.uint16)
TABLE = np.linspace(-1, 1, 100)
ZEROS = np.array([0.0, -0.0])
START = [np.array([[1.6202813]]), np.zeros(1)]
AT_ZERO = {"tensorflow": (1.0, 0.0), "keras-tensorflow": (1.0, 0.0), "jax": (0.5, 0.5), "keras-jax": (0.5, 0.5)}
"""Gradients at 0 of maximum(x, 0) and of maximum(0, x). TensorFlow hands the whole gradient of a tie to the first argument
(``tensorflow/python/ops/math_grad.py``, ``_MaximumGrad``: ``x >= y``), JAX half of it to each (``jax/_src/lax/lax.py``,
``_balanced_eq``)."""


def _relus(backend: str) -> list[Implementation]:
    return [found for found in backends()[backend].implementations if found.operation == "relu"]


def _by_name(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _measured(lab, data, "mse")


def _by_function(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _measured(lab, data, lambda y, prediction: lab.ops.mean(lab.ops.square(prediction - y)))


def _measured(lab: Lab, data: Arrays, loss: Any) -> Mapping[str, Any]:
    """Bit patterns, gradients and the document's table, a row for each API; and one relu node, trained."""
    functions = [found.function for found in _relus(lab.backend.name)]
    found: dict[str, Any] = {}
    for dtype in ("float16", "bfloat16"):
        x = PATTERNS.view(numpy_dtype(dtype))
        compiled = [lab.backend.compile(function, lab.mode) for function in functions]
        results = [lab.backend.array(f(lab.backend.tensor(x, dtype))) for f in compiled]
        found[f"patterns {dtype}"] = [np.asarray(result).view(np.uint16) for result in results]
        found[f"gradients {dtype}"] = [lab.gradients(function, x, dtype=dtype)[0] for function in functions]
    found["table"] = [lab.values(function, TABLE, dtype="float64") for function in functions]
    found["table gradients"] = [lab.gradients(function, TABLE, dtype="float64")[0] for function in functions]
    found["at zero"] = [lab.gradients(function, ZEROS, dtype="float64")[0] for function in functions]
    maxima = (lambda x, zero: lab.ops.maximum(x, zero)), (lambda x, zero: lab.ops.maximum(zero, x))
    found["maximum at zero"] = [lab.gradients(f, ZEROS, np.zeros(2), dtype="float64")[0] for f in maxima]
    done = lab.train(Training((Dense(1, "relu"),), loss, "sgd", 0.1, 1000, 1000), START, data["bent.x"], data["bent.y"])
    return {**found, "weights": [w.ravel()[0] for w in done.weights], "reported": done.reported, "predicted": done.predicted}


def _judge(account: Account) -> None:
    for dtype in ("float16", "bfloat16"):
        _judge_every_number(account, FORMATS[dtype])
    names = ", ".join(found.name for found in _relus(account.backend))
    table, right = account["table"], TABLE > 0
    account.same(f"float64: {names} of the document's 100 numbers is exactly x right of 0 and exactly 0 elsewhere", table,
                 np.broadcast_to(np.where(right, TABLE, 0.0), table.shape))  # fmt: skip
    account.printed("The 50 numbers of its table that are not 0 come out to the last printed digit", "table", table[0][right])
    slopes = account["table gradients"]
    account.same("float64: the gradient is exactly 1 right of 0 and exactly 0 left of it", slopes,
                 np.broadcast_to(right.astype(np.float64), slopes.shape))  # fmt: skip
    _judge_zero(account)
    _judge_one_node(account)
    _draw(account)


def _judge_every_number(account: Account, fmt: Format) -> None:
    """Values are compared by their bits, but for the sign of zeros and the payload of NaN."""
    infinity, sign = fmt.infinity_ordinal, fmt.sign_pattern
    magnitude = PATTERNS & (sign - 1)
    missing, positive = magnitude > infinity, magnitude == PATTERNS
    subnormal = (magnitude > 0) & (magnitude < fmt.tiny_pattern) & positive
    got, slope = account[f"patterns {fmt.name}"], account[f"gradients {fmt.name}"]
    zero = (got == 0) | (got == sign)
    right = np.where(missing, np.fmod(got, sign) > infinity, np.where(positive & (magnitude > 0), got == PATTERNS, zero))
    sloped = missing | (slope == (positive & (magnitude > 0)))
    lost = subnormal & (zero | (slope == 0)) & bool(_flushes(account, fmt))
    few, apis = int(np.any(lost, axis=0).sum()), len(got)
    account.claim(f"{fmt.name}: relu of {PATTERNS.size - few:,} of all 65,536 bit patterns is exact: x itself where x > 0, infinity too, "
                  f"0 where x ≤ 0, NaN where x is NaN; {apis} API{'s' * (apis > 1)}",
                  right.shape == (apis, PATTERNS.size) and bool(np.all(right | lost)),
                  f"{int((~(right | lost)).sum())} wrong", "none")  # fmt: skip
    account.claim(f"{fmt.name}: its gradient is exactly 1 at each of them above 0 and exactly 0 at each below 0, and at 0 and −0",
                  slope.shape == right.shape and bool(np.all(sloped | lost)), f"{int((~(sloped | lost)).sum())} wrong", "none")  # fmt: skip
    account.same(f"{fmt.name}: at NaN the gradient is 0, since x > 0 is false there: a NaN shows in the value alone",
                 slope[:, missing], np.zeros((apis, int(missing.sum()))), "limit")  # fmt: skip
    if lost.any():
        account.limit(f"{fmt.name}: {few} of the {int(subnormal.sum())} positive subnormal numbers are taken for 0, as this backend does "
                      "in general: the value there is 0, and so is the gradient", np.all(zero[lost] & (slope[lost] == 0)), few)  # fmt: skip


def _flushes(account: Account, fmt: Format) -> bool:
    """Whether the backend says that it takes subnormal numbers for 0.

    float16's are normal numbers of float32, which half precision is computed in. A process that computes in 64 bits speaks of float64
    alone; its processor is in one mode for all formats.
    """
    mode = backends()[account.backend].modes[1]
    fact = account.facts.get(f"flushes {mode} {fmt.name}", account.facts.get(f"flushes {mode} float64", "nothing"))
    return fmt.name != "float16" and "inputs" in fact


def _judge_zero(account: Account) -> None:
    relus, maxima = account["at zero"], account["maximum at zero"]
    account.same("At 0 and at −0 relu's gradient is 0", relus, np.zeros((len(_relus(account.backend)), 2)))
    first, second = AT_ZERO[account.backend]
    account.same(f"Written as its definition, maximum(x, 0), it has the gradient {first:g} there, and {second:g} as maximum(0, x)", maxima,
                 [[first, first], [second, second]], "limit")  # fmt: skip
    names = [found.name for found in _relus(account.backend)] + ["maximum(x, 0)", "maximum(0, x)"]
    rows = [[name, *pair] for name, pair in zip(names, np.concatenate([relus, maxima]), strict=True)]
    account.table("Gradient where the derivative does not exist", ["function", "at 0", "at −0"], rows)


def _judge_one_node(account: Account) -> None:
    """ŷ = relu(w·x + b) is never negative: Σ min(y, 0)²/n is as low as its squared error can be, whatever the weights."""
    u, y, got = FORMATS["float32"].u, account.data["bent.y"][:, 0], account["predicted"][:, 0]
    floor, noise = float(np.mean(np.minimum(y, 0.0) ** 2)), 0.3**2
    reported = float(account["reported"])
    account.claim("A network of one relu node cannot fit the bent line: its output is nowhere negative, after 1,000 epochs either",
                  bool(np.all(got >= 0)), float(got.min()), "≥ 0")  # fmt: skip
    account.claim(
        "Its loss is above the mean of min(y, 0)², below which no such output can come", reported > floor, reported, f"> {floor:.6g}"
    )
    account.claim("And that alone is beyond twice the variance of the noise", floor > 2 * noise, floor, f"> 2 · {noise:.3g}")
    x, (weight, bias) = account.data["bent.x"][:, 0], account["weights"]
    line_there = np.maximum(x * weight + bias, 0.0)
    account.near("The output is relu(w·x + b) of the weights it ended with, but for the rounding of x, of the product and of the sum", got,
                 line_there, float(3 * u * np.max(np.abs(x * weight) + abs(bias))))  # fmt: skip
    again = float(np.mean((got - y.astype(np.float32)) ** 2))
    account.near("The loss reported is that of the predictions, but for the rounding of 100 squares and their sum", reported, again,
                 (len(y) + 3) * u * again)  # fmt: skip


def _draw(account: Account) -> None:
    x, y, first = account.data["bent.x"][:, 0], account.data["bent.y"][:, 0], AT_ZERO[account.backend][0]
    graph = line("x", TABLE, TABLE, "dashed"), line("relu(x)", TABLE, account["table"][0])
    broken, slopes = (np.insert(numbers, 50, np.nan) for numbers in (TABLE, account["table gradients"][0]))
    at_zero = line("relu at 0", [0.0], [account["at zero"][0][0]], "points"), line("maximum(x, 0) at 0", [0.0], [first], "points")
    account.figure(
        figure(
            "relu keeps what is above 0 and makes the rest 0",
            chart("Values", Axis("x"), Axis("value"), *graph),
            chart("Gradients", Axis("x"), Axis("gradient"), line("relu", broken, slopes), *at_zero),
        )
    )
    fit = line("data", x, y, "points"), line("fit", x, account["predicted"][:, 0])
    account.figure(
        figure(
            "One relu node cannot go below 0",
            chart("Fit after 1,000 epochs", Axis("x"), Axis("y"), *fit),
            network("Network", [("input", ["x"]), ("relu", ["ŷ"])]),
        )
    )


ENTRY = Entry(
    "C16",
    "relu, its graph and its definition",
    "004_78d1e29d7eb87949.txt",
    "relu(x) = max(0, x) is 0 for x ≤ 0 and x for x > 0. A network of a single relu node does not fit the bent line either, however long "
    "it is trained.",
    "relu and its gradient at every bit pattern of float16 and bfloat16, for each API that the framework has; the document's table in "
    "float64; one relu node trained from the document's start for 1,000 epochs of SGD with step 0.1.",
    {"keras": _by_name, "": _by_function},
    _judge,
    data=("bent",),
    x64=True,
)
