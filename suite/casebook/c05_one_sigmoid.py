"""C5: one sigmoid output is the probability of the class labelled 1, and 1 less it that of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.keras import sequential
from suite.backends.training import Dense, Weights, forward
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Floats, round_to
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

PRINTED = (
    -2.0993173,
    -1.7705973,
    -1.8959006,
    -2.0198274,
    -1.6435763,
    -1.4106374,
    -1.8249046,
    -1.8051653,
    -1.0382229,
    -1.9443811,
    -1.8249046,
    -1.766685,
    -1.766685,
)
"""Logits whose sigmoids are the predictions that the document prints."""
ONE: Weights = [np.ones((1, 1)), np.zeros(1)]
TWO: Weights = [np.array([[0.0, 1.0]]), np.zeros(2)]
"""Weights that make the logit x, and the pair of logits (0, x), without rounding."""


MODERATE = len(PRINTED) + 300
"""How many of the logits lie where probabilities are neither 0 nor 1 in all dtypes."""


def _logits(dtype: str) -> Floats:
    """The document's, then 300 up to twice the logit at which σ rounds to 1, then 100 of every magnitude from 2^−10 on, all rounded."""
    random, fmt = np.random.RandomState(5), FORMATS[dtype]
    moderate = random.uniform(-2.0, 2.0, size=MODERATE - len(PRINTED)) * (fmt.precision + 1) * np.log(2)
    wide = random.choice((-1.0, 1.0), size=100) * 2.0 ** random.uniform(-10, fmt.emax, size=100)
    return round_to(fmt, np.concatenate([np.array(PRINTED), moderate, wide]))


def _by_functions(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def last(layer: Dense, weights: Weights, x: Floats, dtype: str) -> Floats:
        return lab.values(lambda x, *weights: forward(lab.ops, (layer,), weights, x), x, *weights, dtype=dtype)

    return _measured(lab, last)


def _by_models(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """``predict`` takes no float64 as it is, so there the model is called as a function; what ``predict`` makes of it is kept as well."""

    def last(layer: Dense, weights: Weights, x: Floats, dtype: str) -> Floats:
        model = sequential((layer,), 1, weights, dtype)
        return lab.values(model, x, dtype=dtype) if dtype == "float64" else predicted(model, x, dtype)

    def predicted(model: Any, x: Floats, dtype: str) -> Floats:
        return np.asarray(model.predict(lab.backend.tensor(x, dtype), verbose=0, batch_size=len(x)), dtype=np.float64)

    unit = sequential((Dense(1, "sigmoid"),), 1, ONE, "float64")
    return {**_measured(lab, last), "predicted": predicted(unit, _logits("float64")[:MODERATE, None], "float64")[:, 0]}


def _measured(lab: Lab, last: Any) -> Mapping[str, Any]:
    found = {}
    for dtype in lab.backend.dtypes:
        x = _logits(dtype)[:, None]
        p = last(Dense(1, "sigmoid"), ONE, x, dtype)
        found[f"{dtype} p"] = p[:, 0]
        found[f"{dtype} rest"] = lab.values(lambda p: 1 - p, p, dtype=dtype)[:, 0]
        found[f"{dtype} softmax"] = last(Dense(2, "softmax"), TWO, x, dtype)
    x = _logits("float32")[: len(PRINTED)]
    pairs = np.stack([np.zeros_like(x), x], axis=-1)
    binary, categorical = lab.function("binary_cross_entropy_with_logits"), lab.function("softmax_cross_entropy_with_logits")
    for label in (0, 1):
        found[f"binary {label}"] = lab.values(binary, x, np.full(len(x), float(label)))
        found[f"categorical {label}"] = lab.values(categorical, pairs, np.tile(np.eye(2)[label], (len(x), 1)))
    return found


def _judge(account: Account) -> None:
    from suite.backends import backends
    from suite.casebook.errors import allowed

    dtypes, first, u = backends()[account.backend].dtypes, slice(0, len(PRINTED)), FORMATS["float32"].u
    x, p = _logits("float32"), account["float32 p"]
    # The logits above are rounded to float32: u|x| of them, which the slope of σ, 1/4 at most, takes over.
    slack = float(np.max(allowed(account, "sigmoid", {"x": x[first]}) + 0.25 * u * np.abs(x[first])))
    account.printed("A sigmoid unit gives the document's predictions, but for the rounding of logits and σ", "predictions", p[first], slack)
    account.printed("The first says 10.92 % for the class labelled 1 and 89.08 % for the other", "percent", [100 * p[0], 100 - 100 * p[0]])
    rest = np.concatenate([round_to(FORMATS[dtype], 1 - account[f"{dtype} p"]) for dtype in dtypes])
    account.same("1 − p is rounded correctly in every dtype", np.concatenate([account[f"{dtype} rest"] for dtype in dtypes]), rest)
    for dtype in dtypes:
        _one_dtype(account, dtype)
    if account.backend.startswith("keras"):
        _predict(account)
    _labels(account, x[first])
    account.table(
        f"Where 1 − p is lost: the least of the {len(x)} logits at which it is exactly 0",
        ("dtype", "logit", "p", "1 − p", "P(Y = 0) by softmax of (0, logit)"),
        [_lost(account, dtype) for dtype in dtypes],
    )
    _show(account, x)


def _one_dtype(account: Account, dtype: str) -> None:
    """p and 1 − p may differ from the two entries by the bounds of sigmoid and softmax, and by the rounding of 1 − p."""
    from suite.casebook.errors import allowed, share

    x, fmt = _logits(dtype), FORMATS[dtype]
    pairs = np.stack([np.zeros_like(x), x], axis=-1)
    p, rest, softmax = (account[f"{dtype} {name}"] for name in ("p", "rest", "softmax"))
    own, of_softmax = allowed(account, "sigmoid", {"x": x}, dtype), allowed(account, "softmax", {"x": pairs}, dtype)
    account.within(f"{dtype}: p is the exact σ(x) within its bound", account.share("sigmoid", {"x": x}, p, dtype))
    account.within(f"{dtype}: softmax of (0, x) is the exact one within its bound", account.share("softmax", {"x": pairs}, softmax, dtype))
    account.within(f"{dtype}: p is softmax's entry for the class labelled 1", share(softmax[:, 1] - p, of_softmax[:, 1] + own))
    account.within(f"{dtype}: 1 − p is its entry for the class labelled 0", share(softmax[:, 0] - rest, of_softmax[:, 0] + own + fmt.u))

    # Numbers just below 1 are u apart, and beyond (precision + 1) ln 2 the true 1 − σ is less than half of that: what 1 − p can be there,
    # a multiple of u, is off by all of it or by more. Up to (emax − 1) ln 2 it is a normal number, which softmax's entry has to be near.
    high = (x > (fmt.precision + 1) * np.log(2)) & (x < (fmt.emax - 1) * np.log(2))
    exact = account.exact("softmax", {"x": pairs[high]})[:, 0]
    lost, kept = np.min(np.abs(rest[high] / exact - 1)), np.max(np.abs(softmax[high, 0] / exact - 1))
    account.limit(
        f"{dtype}: for logits from {np.min(x[high]):.4g} to {np.max(x[high]):.4g}, {np.sum(high)} of them, 1 − p is off by all of P(Y = 0) "
        f"or by more, since p is 1 or its neighbour; softmax of (0, x) is off by {kept:.2g} of it at most",
        lost >= 1 and kept <= np.max(of_softmax[high, 0] / exact),
        lost,
        "≥ 1",
    )


def _predict(account: Account) -> None:
    given = _logits("float64")[:MODERATE]
    taken, got = round_to(FORMATS["float32"], given), account["predicted"]
    rounded, wanted = (account.share("sigmoid", {"x": x}, got, "float64") for x in (taken, given))
    account.limit(
        "A float64 model's predict rounds float64 inputs to float32, Keras' floatx (keras/src/trainers/data_adapters/array_slicing.py): it "
        f"returns σ of the rounded logits, which is {wanted:.1g} bounds away from σ of those given",
        rounded <= 1 and wanted > 1,
        f"{rounded:.3g} of the bound for the rounded logits",
        "≤ 1",
    )


def _labels(account: Account, x: Floats) -> None:
    """The loss is what gives p its meaning: it rewards p under label 1 as softmax's second entry is rewarded for the second class."""
    from suite.casebook.errors import allowed, share

    pairs = np.stack([np.zeros_like(x), x], axis=-1)
    for label in (0, 1):
        labels, rows = np.full(len(x), float(label)), np.tile(np.eye(2)[label], (len(x), 1))
        bound = allowed(account, "binary_cross_entropy_with_logits", {"logits": x, "labels": labels})
        bound = bound + allowed(account, "softmax_cross_entropy_with_logits", {"logits": pairs, "labels": rows})
        off = account[f"binary {label}"] - account[f"categorical {label}"]
        account.within(f"Under label {label} binary cross-entropy of x is cross-entropy of (0, x) with class {label}", share(off, bound))
        p = account["float32 p"][: len(x)]
        exact = -np.log(p if label else 1 - p)
        moved = allowed(account, "sigmoid", {"x": x}) / np.exp(-exact)
        account.within(
            f"Under label {label} it is −log {'p' if label else '(1 − p)'} of the document's predictions, but for their rounding",
            share(account[f"binary {label}"] - exact, bound + moved),
        )


def _lost(account: Account, dtype: str) -> tuple[object, ...]:
    x, rest = _logits(dtype), account[f"{dtype} rest"]
    gone = np.flatnonzero(rest == 0)
    if not gone.size:
        return (dtype, "none", "", "", "")
    i = gone[np.argmin(x[gone])]
    return (dtype, x[i], account[f"{dtype} p"][i], rest[i], account[f"{dtype} softmax"][i, 0])


def _show(account: Account, x: Floats) -> None:
    order = np.argsort(x)
    order = order[np.abs(x[order]) < 36]
    p, rest, softmax = (account[f"float32 {name}"][order] for name in ("p", "rest", "softmax"))
    account.figure(
        figure(
            "One sigmoid and two softmax outputs say the same, until 1 − p is lost",
            chart(
                "Probabilities (float32)",
                Axis("logit x"),
                Axis("probability"),
                line("p = sigmoid(x)", x[order], p),
                line("1 − p", x[order], rest),
                line(
                    "softmax of (0, x): both entries",
                    np.tile(x[order], 2)[::2],
                    np.concatenate([softmax[:, 0], softmax[:, 1]])[::2],
                    "points",
                ),
                line("the document's predictions", x[: len(PRINTED)], account["float32 p"][: len(PRINTED)], "marked"),
            ),
            chart(
                "Probability of the class labelled 0 (float32)",
                Axis("logit x"),
                Axis("P(Y = 0)", log=True),
                line("first entry of softmax of (0, x)", x[order], softmax[:, 0]),
                line("1 − p", x[order], np.where(rest > 0, rest, np.nan), "dashed"),
            ),
            network("One unit", [("input", ["x"]), ("sigmoid", ["p"])]),
            network("Two units", [("input", ["x"]), ("softmax", ["1 − p", "p"])]),
        )
    )


ENTRY = Entry(
    "C5",
    "One sigmoid output p stands for the pair (1 − p, p)",
    "001_6dd32db1a395a767.txt",
    "The single output p of a sigmoid unit trained with binary cross-entropy is the probability that the label is 1, and 1 − p the "
    "probability that it is 0. No second output is needed.",
    "Logits that give the document's 13 predictions, and 400 generated ones up to the largest numbers, go through a sigmoid unit and "
    "through two softmax units with the logits (0, x), in every dtype; and through both losses.",
    {"keras": _by_models, "": _by_functions},
    _judge,
    x64=True,
)
