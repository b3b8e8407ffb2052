"""C1: one loss, computed in four ways, on which they part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import sequential
from suite.backends.training import Dense
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.casebook.habits import EARLY_ZERO, EPSILON, HIDDEN_LOGITS
from suite.floats import FORMATS, Floats, round_to, ulp
from suite.lab import Lab
from suite.model import Axis, Panel

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

DTYPES = ("float16", "bfloat16", "float32", "float64")
LABELS = np.tile([0.0, 1.0], (100, 1))
PLATEAU = 2.0**-23
"""What is left of 1 − p in float32 once p is clipped at 1 − ε: 1 − 1e-7 rounds to 1 − 2^-23."""

SINGLE_INSIDE = {"keras-jax"}
"""Backends that compute float64 in float32."""
REWRITES = {"tensorflow", "keras-tensorflow"}
"""Backends that make log1p(x) of log(1 + x) when they compile."""


def logits(dtype: str) -> Floats:
    """The document's points ``(100, 2)``: −a and a for a from 10 to 20, as they are in the dtype."""
    a = round_to(FORMATS[dtype], np.linspace(10, 20, 100), np.zeros(100))
    return np.stack([-a, a], axis=1)


def _formulas(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """Where there is no loss of probabilities, the clipped form is the one that the document prints."""
    ops, with_logits = lab.ops, lab.function("binary_cross_entropy_with_logits")

    def clipped(x: Any, y: Any) -> Any:
        p = ops.clip(ops.sigmoid(x), EPSILON, 1 - EPSILON)
        return with_logits(ops.log(p / (1 - p)), y)

    return _measured(lab, clipped, "")


def _keras(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """Keras' own loss of probabilities; and through a compiled model, as in the document."""
    found = _measured(lab, lambda x, y: keras.losses.binary_crossentropy(y[:, None], keras.ops.sigmoid(x)[:, None]), "eager")
    model = sequential((Dense(1, "sigmoid"),), 1, [np.ones((1, 1)), np.zeros(1)])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    batches = [(x[:, None].astype(np.float32), y[:, None].astype(np.float32)) for x, y in zip(logits("float32"), LABELS, strict=True)]
    found["evaluate"] = [model.evaluate(x, y, verbose=0) for x, y in (batches[0], batches[-1])]
    found["compiled model"] = [model.test_on_batch(x, y) for x, y in batches]
    found["predicted"] = [model.predict_on_batch(x)[:, 0] for x, _ in batches]
    return found


def _measured(lab: Lab, clipped: Callable[[Any, Any], Any], mode: str) -> dict[str, Any]:
    """Values and slopes ``(100, 2)`` of each form at each dtype; ``mode`` is that of the clipped one."""
    ops, with_logits = lab.ops, lab.function("binary_cross_entropy_with_logits")

    def unclipped(x: Any, y: Any) -> Any:
        p = ops.sigmoid(x)
        return with_logits(ops.log(p / (1 - p)), y)

    def naive(x: Any, _y: Any) -> Any:
        return ops.log(1 + ops.exp(-ops.abs(x)))

    found: dict[str, Any] = {}
    curves = {"logits": (with_logits, ""), "clipped": (clipped, mode), "unclipped": (unclipped, ""), "naive": (naive, "")}
    for dtype in DTYPES:
        x = logits(dtype)
        for name, (function, how) in curves.items():
            value, slope = lab.value_and_gradient(function, x.ravel(), LABELS.ravel(), dtype=dtype, mode=how)
            found[f"{name} {dtype}"], found[f"{name} slope {dtype}"] = value.reshape(x.shape), slope.reshape(x.shape)
        found[f"naive eager {dtype}"] = lab.values(naive, x, LABELS, dtype=dtype, mode="eager")
        found[f"sigmoid {dtype}"] = lab.values(lambda t: ops.sigmoid(t), x, dtype=dtype)
    return found


def _judge(account: Account) -> None:
    _judge_logits(account)
    _judge_clipped(account)
    _judge_others(account)
    if "evaluate" in account.measured:
        _judge_model(account)
    _tabulate(account)
    _draw(account)


def _judge_logits(account: Account) -> None:
    operation, y = "binary_cross_entropy_with_logits", LABELS.ravel()
    inputs = {dtype: {"logits": logits(dtype).ravel(), "labels": y} for dtype in DTYPES}
    own = [dtype for dtype in DTYPES if dtype != "float64" or account.backend not in SINGLE_INSIDE]
    shares = {dtype: account.share(operation, inputs[dtype], account[f"logits {dtype}"].ravel(), dtype) for dtype in own}
    account.within(
        f"The loss of logits follows the closed form log(1 + e^-a) over the whole range, in {', '.join(own)}", max(shares.values())
    )
    if "float64" not in own:
        off = float(np.max(np.abs(account["logits float64"].ravel() / account.exact(operation, inputs["float64"]) - 1)))
        account.limit("float64: the loss of logits has the digits of float32 only, which this backend computes in; its relative error",
                      100 * FORMATS["float64"].u < off <= 4 * FORMATS["float32"].u, off, "≤ 4 · 2^-24, and above 100 · 2^-53")  # fmt: skip
    got = {dtype: account[f"logits slope {dtype}"].ravel() for dtype in DTYPES}
    if account.backend not in EARLY_ZERO:
        account.within(
            "So does its gradient, in every dtype", max(account.share(operation, inputs[d], got[d], d, "logits") for d in DTYPES)
        )
        return
    true = {dtype: account.exact(operation, inputs[dtype], "logits") for dtype in DTYPES}
    off = max(float(np.max(np.abs(got[d] - true[d]))) / FORMATS[d].u for d in DTYPES)
    account.limit("Its gradient for y = 1 is σ(a) − 1 as it stands: right to a unit of 1, not to one of the gradient; largest error over u",
                  off <= 2.0, off, "≤ 2")  # fmt: skip
    a, slope = logits("float32")[:, 1], account["logits slope float32"][:, 1]
    zero = slope == 0
    account.limit("float32: so it is exactly 0 from some a on, where the true one, e^-a, is representable down to a = 103", zero.any() and
                  bool(np.all(zero[np.argmax(zero):])), f"from a = {a[np.argmax(zero)]:.6g}", "an a up to 20")  # fmt: skip


def _judge_clipped(account: Account) -> None:
    half = [np.isnan(account[f"clipped {what}{dtype}"][:, 1]) for dtype in ("float16", "bfloat16") for what in ("", "slope ")]
    account.limit("float16, bfloat16: the clipped form is NaN at every a, since 1 − 1e-7 is 1 and nothing is clipped", bool(np.all(half)),
                  f"{int(np.sum(half))} of {np.size(half)} values and gradients", "all")  # fmt: skip
    for dtype, level, beyond, words in (
        ("float32", PLATEAU, 23 * np.log(2), "2^-23, from a = 23 ln 2 = 15.94 on"),
        ("float64", EPSILON, -np.log(EPSILON), "1e-7, from a = −ln 1e-7 = 16.12 on"),
    ):
        a, got, slope = logits(dtype)[:, 1], account[f"clipped {dtype}"][:, 1], account[f"clipped slope {dtype}"][:, 1]
        slack = _slack(account, level)
        account.near(f"{dtype}: for y = 1 the clipped form sits on a plateau of {words}", got[a >= beyond], level, slack)
        account.same(f"{dtype}: it is the same number at every such a", np.unique(got[a >= beyond]).size, 1)
        account.same(f"{dtype}: there its gradient is exactly 0 (a > 17)", np.abs(slope[a > 17]), np.zeros(int(np.sum(a > 17))))
        if dtype == "float32":
            account.printed("float32: the plateau as first measured", "plateau", got[-1], slack)


def _slack(account: Account, level: float) -> float:
    """Two units in the last place of float32; by the document's formula, 16u: the error of a logarithm of about 16 in the loss."""
    if "evaluate" in account.measured:
        return 2 * float(ulp(FORMATS["float32"], np.array(level)))
    return 16 * FORMATS["float32"].u * level


def _judge_others(account: Account) -> None:
    share = max(account.share("sigmoid", {"x": logits(d)[:, 1]}, account[f"sigmoid {d}"][:, 1], d) for d in DTYPES)
    account.within("σ(a) itself is right, in every dtype", share)
    nan = {d: [np.isnan(account[f"unclipped {what}{d}"][:, 1]) for what in ("", "slope ")] for d in DTYPES}
    one = {d: account[f"sigmoid {d}"][:, 1] == 1 for d in DTYPES}
    same = all(bool(np.all(each == one[d])) for d in DTYPES for each in nan[d])
    account.claim("The unclipped form, value and gradient, is NaN exactly where σ(a) is 1, in every dtype", same,
                  _first(nan["float32"][0]), _first(one["float32"]))  # fmt: skip
    x = {d: logits(d) for d in DTYPES}
    lost = {d: np.exp(-np.abs(x[d])) <= FORMATS[d].u for d in DTYPES}
    account.claim("log(1 + e^-a) as written, run eagerly, is 0 exactly where e^-a ≤ u, so that 1 + e^-a is 1, in every dtype",
                  all(bool(np.all((account[f"naive eager {d}"] == 0) == lost[d])) for d in DTYPES),
                  _first(account["naive eager float32"][:, 1] == 0), _first(lost["float32"][:, 1]))  # fmt: skip
    if account.backend in REWRITES:
        share = max(account.share("softplus", {"x": -np.abs(x[d].ravel())}, account[f"naive {d}"].ravel(), d) for d in DTYPES)
        account.within("Compiled, it follows the closed form: TensorFlow's graph optimiser makes log1p(e^-a) of it", share, "limit")
    else:
        account.claim("Compiled, it is 0 at the same points", all(bool(np.all((account[f"naive {d}"] == 0) == lost[d])) for d in DTYPES),
                      _first(account["naive float32"][:, 1] == 0), _first(lost["float32"][:, 1]))  # fmt: skip
    off = max(_relative(account[f"naive slope {d}"], x[d], d) for d in DTYPES)
    account.claim(
        "Its gradient is right all the same: e^-a/(1 + e^-a) has nothing to lose; largest relative error over u", off <= 8, off, "≤ 8"
    )


def _relative(slope: Floats, x: Floats, dtype: str) -> float:
    """The largest error relative to e^-a, and to what underflows, over u.

    An exp of up to 3 units in the last place, which are 2u each, a sum and a quotient can come to 8u.
    """
    true = np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x)))
    return float(np.max(np.abs(np.abs(slope) - true) / (true + FORMATS[dtype].tiny / FORMATS[dtype].u)) / FORMATS[dtype].u)


def _first(where: Any) -> str:
    """From which of the points on, in float32."""
    return f"from a = {logits('float32')[where, 1].min():.6g} in float32" if np.any(where) else "nowhere in float32"


def _judge_model(account: Account) -> None:
    got, x = account["compiled model"], logits("float32")
    account.same("A compiled model reports the same by evaluate as batch by batch", account["evaluate"], got[[0, -1]])
    account.within("It predicts σ", account.share("sigmoid", {"x": x.ravel()}, account["predicted"].ravel()))
    clipped, exact = account["clipped float32"].mean(axis=1), np.log1p(np.exp(-x[:, 1]))
    if account.backend in HIDDEN_LOGITS:
        off = float(np.max(np.abs(got / exact - 1)))
        account.refuted(
            "The loss that it reports is that of the logits, and has no plateau: Keras on TensorFlow, from 3.0.0 on at the latest, takes "
            "the logits that sigmoid leaves on its result (_get_logits in keras/src/backend/tensorflow/nn.py; Keras 2.3.1 had no such "
            "thing). Relative error against the closed form",
            off <= 4 * 2.0**-24, off, "≤ 4 · 2^-24",
        )  # fmt: skip
        account.limit("So the loss that is reported is not that of what is predicted, which at a = 20 is larger by a factor of",
                      clipped[-1] / got[-1] > 50, clipped[-1] / got[-1], "> 50")  # fmt: skip
    else:
        account.near("The loss that it reports is the clipped one of its predictions, but for a unit of 1", got, clipped, 2.0**-23)
        account.near("It ends on the plateau", got[-1], PLATEAU, _slack(account, PLATEAU))


def _tabulate(account: Account) -> None:
    rows = []
    for dtype in DTYPES:
        values = (account[f"{name} {dtype}"][-1].mean() for name in ("logits", "clipped", "unclipped", "naive eager", "naive"))
        rows.append((dtype, logits(dtype)[-1, 1], *values))
    head = ("dtype", "a", "loss of logits", "clipped", "unclipped", "log(1 + e^-a), eager", "the same, compiled")
    account.table(f"Losses at the last point, in nats; the closed form has {np.log1p(np.exp(-20)):.9g}", head, rows)


def _draw(account: Account) -> None:
    names = {
        "logits": "loss of logits",
        "clipped": "clipped probabilities",
        "unclipped": "unclipped probabilities",
        "naive": "log(1 + e^-a), compiled",
    }
    more = {"compiled model": ("compiled model", "float32")} if "evaluate" in account.measured else {}
    for slope, unit in (("", "Loss"), ("slope ", "Gradient, y = 1")):
        panels: list[Panel] = []
        for dtype in DTYPES:
            a = logits(dtype)[:, 1]
            shown = {}
            for key, name in names.items():
                array = np.abs(account[f"{key} {slope}{dtype}"])
                shown[name] = array[:, 1] if slope else array.mean(axis=1)
            if not slope:
                shown |= {"log(1 + e^-a), eager": account[f"naive eager {dtype}"].mean(axis=1)}
                shown |= {name: account[key] for key, (name, only) in more.items() if only == dtype}
            series = [line(name, a, np.where(v > 0, v, np.nan), "dashed" if "log(" in name else "line") for name, v in shown.items()]
            panels.append(chart(dtype, Axis("a (logit)"), Axis(f"{unit} (nats)" if not slope else unit, log=True), *series))
        if not slope:
            panels.append(network("Network", [("input", ["x"]), ("sigmoid", ["p"])]))
        account.figure(figure(f"{unit} for logits ±a; zeros and NaN leave gaps", *panels))


ENTRY = Entry(
    "C1",
    "Four ways to one loss",
    "003_244be10ff84411a0.txt",
    "For logits ±a with a from 10 to 20, Keras' binary cross-entropy of clipped probabilities, TensorFlow's of logits, the closed form "
    "log(1 + e^-a) and a loss of unclipped probabilities part ways: clipping costs digits, leaving it out overflows.",
    "The document's 100 points, its labels and its four losses, values and gradients, at each dtype, against the exact results; for "
    "Keras through a compiled model as well. Where there is no loss of probabilities, the document's formula is written out.",
    {"keras": _keras, "": _formulas},
    _judge,
    x64=True,
)
