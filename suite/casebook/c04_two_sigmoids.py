"""C4: two sigmoids are no distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.keras import sequential
from suite.backends.training import Dense, Weights, forward
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

PRINTED = (
    (0.62993073, -0.16466314),
    (0.65973043, -0.1643594),
    (-1.6608446, -0.08920895),
    (0.1320779, -0.0974816),
    (-1.6524202, -0.08817629),
)
"""Logits whose sigmoids are the rows that the document prints."""
SATURATED = (18.0, 20.0)
PASS_ON: Weights = [np.eye(2), np.zeros(2)]
"""Weights of a last layer that hands its input on, so that the logits are known without rounding."""
U = FORMATS["float32"].u


def _rows() -> Floats:
    """The document's, then 200 pairs of logits that are multiples of 1/8 in [−8, 8], no two of a pair the same."""
    drawn = np.random.RandomState(4).randint(-64, 65, size=(220, 2)) / 8.0
    return np.concatenate([np.array(PRINTED, dtype=np.float32).astype(np.float64), drawn[drawn[:, 0] != drawn[:, 1]][:200]])


def _by_functions(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def last(activation: str, x: Floats) -> Floats:
        return lab.values(lambda x, *weights: forward(lab.ops, (Dense(2, activation),), weights, x), x, *PASS_ON)

    return _measured(lab, last)


def _by_models(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def last(activation: str, x: Floats) -> Floats:
        found = sequential((Dense(2, activation),), 2, PASS_ON).predict(x.astype(np.float32), verbose=0, batch_size=len(x))
        return np.asarray(found, dtype=np.float64)

    return _measured(lab, last)


def _measured(lab: Lab, last: Any) -> Mapping[str, Any]:
    ops, saturated = lab.ops, np.array([SATURATED])

    def sums(p: Any) -> Any:
        return ops.sum(p, axis=-1)

    def divided(p: Any) -> Any:
        return p / ops.reshape(ops.sum(p, axis=-1), (-1, 1))

    def from_logits_of(p: Any) -> Any:
        return ops.softmax(ops.log(p) - ops.log1p(-p))

    p, ones = last("sigmoid", _rows()), last("sigmoid", saturated)
    return {
        "sigmoids": p, "softmax": last("softmax", _rows()), "sums": lab.values(sums, p), "divided": lab.values(divided, p),
        "recovered": lab.values(from_logits_of, p), "saturated": ones, "saturated softmax": last("softmax", saturated),
        "saturated recovered": lab.values(from_logits_of, ones),
    }  # fmt: skip


def _judge(account: Account) -> None:
    from suite.casebook.errors import allowed, share

    x = _rows()
    p, softmax, sums, divided, recovered = (account[n] for n in ("sigmoids", "softmax", "sums", "divided", "recovered"))
    own = allowed(account, "sigmoid", {"x": x.ravel()}).reshape(x.shape)
    softmax_error = allowed(account, "softmax", {"x": x})
    first = slice(0, len(PRINTED))

    # The logits above are rounded to float32: u|x| of them, which the slope of σ, 1/4 at most, takes over.
    slack = float(np.max(own[first] + 0.25 * U * np.abs(x[first])))
    account.printed("Two sigmoid outputs give the document's rows, but for the rounding of logits and σ", "rows", p[first], slack)
    account.same("Their sums are those of IEEE arithmetic", sums, p[:, 0].astype(np.float32) + p[:, 1].astype(np.float32))
    nearest, explained = float(np.min(np.abs(sums[first] - 1))), float(np.max(own[first].sum(axis=1)) + 2 * U)
    account.claim(
        f"None of the five rows sums to 1: the nearest is off by {nearest:.3g}, and rounding explains {explained:.2g} at most",
        nearest > explained,
        nearest,
        f"> {explained:.3g}",
    )

    text = "Divided by its sum, each row sums to 1, but for the rounding of one sum and two quotients"
    account.near(text, divided.sum(axis=-1), 1.0, 3 * U)
    account.same("Division keeps the arg-max in all 205 rows", divided.argmax(axis=-1), x.argmax(axis=-1))
    apart = np.abs(divided - softmax) / (softmax_error + own / p + 3 * U)
    account.claim(
        "But it is not the softmax of the logits: in the document's rows it is off by "
        f"{np.min(np.abs(divided - softmax)[first]):.3g} or more, as many error bounds as this",
        np.all(apart[first] > 1),
        np.min(apart[first]),
        "> 1",
    )
    text = "Nor is it in any of the 200 generated rows: the nearest is off by this many error bounds"
    account.claim(text, np.all(apart > 1), np.min(apart), "> 1")

    exact = account.exact("softmax", {"x": x})
    account.within("Softmax of the logits is within its bound", account.share("softmax", {"x": x}, softmax))
    account.within(
        "Softmax of logit(p), computed from the sigmoids alone, is softmax of the logits within the bound",
        share(recovered - exact, _recovery_error(account, x, own, softmax_error, exact)),
    )
    account.same("It keeps the arg-max too", recovered.argmax(axis=-1), x.argmax(axis=-1))
    _saturation(account)
    _show(account, p, sums, divided, softmax)


def _recovery_error(account: Account, x: Floats, own: Floats, softmax_error: Floats, exact: Floats) -> Floats:
    """How far softmax(log p − log1p(−p)) may be from softmax(x).

    What σ is off by is magnified by logit' = 1/(p(1 − p)), both logarithms err by their own relative error, their difference rounds. An
    error of the two logits moves softmax by its slope p₁p₂ times their sum, and softmax rounds itself. 1.1 covers terms of second order:
    the logits are off by less than 0.01.
    """
    r = account.rounding()
    p, q = account.exact("sigmoid", {"x": x.ravel()}).reshape(x.shape), account.exact("sigmoid", {"x": -x.ravel()}).reshape(x.shape)
    logs = r.relative("log") * np.abs(np.log(p)) + r.relative("log1p") * np.abs(np.log(q)) + U * np.abs(x)
    moved = 1.1 * (own / (p * q) + logs).sum(axis=-1, keepdims=True)
    return np.asarray(moved * exact.prod(axis=-1, keepdims=True) + 1.1 * softmax_error)


def _saturation(account: Account) -> None:
    account.same("Sigmoid rounds to 1 at the logits 18 and 20 in float32", account["saturated"], np.ones((1, 2)))
    account.same(
        "There logit(p) is infinite and softmax of it NaN: the way back exists only while no sigmoid has rounded to 1",
        account["saturated recovered"],
        np.full((1, 2), np.nan),
        role="limit",
    )
    share = account.share("softmax", {"x": np.array([SATURATED])}, account["saturated softmax"])
    account.within("Softmax of the logits themselves, 18 and 20, is within its bound", share)


def _show(account: Account, p: Floats, sums: Floats, divided: Floats, softmax: Floats) -> None:
    five = range(len(PRINTED))
    account.table(
        "The document's rows",
        ("two sigmoids", "their sum", "divided by it", "softmax of the logits"),
        [(tuple(p[i]), sums[i], tuple(divided[i]), tuple(softmax[i])) for i in five],
    )
    ends = np.array([0.0, 1.0])
    account.figure(
        figure(
            "Dividing two sigmoids by their sum does not give the softmax of their logits",
            chart(
                "Probability of the first class",
                Axis("softmax of the logits"),
                Axis("from the two sigmoids"),
                line("divided by the sum, 200 generated rows", softmax[len(five) :, 0], divided[len(five) :, 0], "points"),
                line("divided by the sum, the document's rows", softmax[: len(five), 0], divided[: len(five), 0], "points"),
                line("softmax of logit(p)", softmax[:, 0], account["recovered"][:, 0], "points"),
                line("equal", ends, ends, "dashed"),
            ),
            network("Last layer", [("logits", ["x₁", "x₂"]), ("sigmoid, or softmax", ["p₁", "p₂"])]),
        )
    )


ENTRY = Entry(
    "C4",
    "Two sigmoid outputs are no distribution over classes",
    "001_6dd32db1a395a767.txt",
    "The outputs of a last layer of two sigmoids do not sum to 1, so they are not the probabilities of two exclusive classes. They can be "
    "made into probabilities afterwards, without training anew.",
    "Logits that give the document's five rows, and 200 generated pairs, go through a layer of two sigmoids and through one of softmax. "
    "The sigmoids are divided by their sum, and turned back into logits.",
    {"keras": _by_models, "": _by_functions},
    _judge,
)
