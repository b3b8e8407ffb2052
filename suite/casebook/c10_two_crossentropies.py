"""C10: cross-entropy of softmax's probabilities, and of logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import Style, chart, figure, line, network
from suite.casebook.habits import EPSILON, HIDDEN_LOGITS
from suite.floats import FORMATS, Floats, round_to
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

DTYPES = ("float16", "bfloat16", "float32", "float64")
GAPS = np.arange(0, 120.25, 0.25)
HALVES = {"keras-jax"}
"""Backends whose clipping halves the gradient of a number that is the limit itself, as 1 is in 16 bits, where 1 − 1e-7 is 1."""
ROWS = (40, 80, 120, 160)
"""Places of the gaps that a compiled model is evaluated at: 10, 20, 30, 40."""


def rows() -> tuple[Floats, dict[str, Floats]]:
    """Logits ``(481, 3)``, the first ahead of the others by the gap, a number of every dtype; labels of the winner and of a loser."""
    x = np.stack([np.zeros_like(GAPS), -GAPS, -GAPS], axis=1)
    return x, {name: np.tile(np.eye(3)[k], (len(GAPS), 1)) for name, k in (("winner", 0), ("loser", 1))}


def _formulas(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    ops = lab.ops
    return _measured(lab, lambda x, y: -ops.sum(y * ops.log(ops.softmax(x)), -1), "")


def _keras(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """The loss itself, eagerly, once with a multiplication by 1 between it and softmax, which hides the logits from it."""
    found = _measured(lab, lambda x, y: keras.losses.categorical_crossentropy(y, keras.ops.softmax(x) * 1), "eager")
    x, labels = rows()
    for name, y in labels.items():
        direct = lab.values(lambda t, y: keras.losses.categorical_crossentropy(y, keras.ops.softmax(t)), x, y, mode="eager")
        found[f"direct {name}"] = direct
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("softmax")])
    model.compile(loss="categorical_crossentropy")
    for name, y in labels.items():
        each = [audited(model, x[i : i + 1].astype(np.float32), y[i : i + 1].astype(np.float32)) for i in ROWS]
        found |= {f"{key} {name}": np.array([one[key].ravel() for one in each]) for key in ("reported", "predicted")}
    return found


def _measured(lab: Lab, probabilities: Any, mode: str) -> dict[str, Any]:
    logits, ops = lab.function("softmax_cross_entropy_with_logits"), lab.ops
    x, labels = rows()
    both, y = np.concatenate([x, x]), np.concatenate([labels["winner"], labels["loser"]])
    found: dict[str, Any] = {}
    for dtype in DTYPES:
        for name, function, how in (("logits", logits, ""), ("probabilities", probabilities, mode)):
            value, slope = lab.value_and_gradient(function, both, y, dtype=dtype, mode=how, rows=True)
            for i, label in enumerate(labels):
                found |= {f"{name} {label} {dtype}": value.reshape(2, -1)[i], f"{name} {label} slope {dtype}": slope.reshape(2, -1, 3)[i]}
        found[f"softmax {dtype}"] = lab.values(lambda t: ops.softmax(t), x, dtype=dtype)
    return found


def _judge(account: Account) -> None:
    clips = "direct loser" in account.measured
    _judge_logits(account)
    for dtype in DTYPES:
        _judge_agreement(account, dtype, clips)
        _judge_frontier(account, dtype, clips)
    if clips:
        _judge_keras(account)
    _tabulate(account)
    _draw(account)


def _judge_logits(account: Account) -> None:
    x, labels = rows()
    operation, worst = "softmax_cross_entropy_with_logits", {"value": 0.0, "gradient": 0.0}
    for dtype in DTYPES:
        normal = _reach(dtype, clips=False) > GAPS
        for name, y in labels.items():
            value, slope = account[f"logits {name} {dtype}"], account[f"logits {name} slope {dtype}"]
            worst["value"] = max(worst["value"], account.share(operation, {"logits": x, "labels": y}, value, dtype))
            inputs = {"logits": x[normal], "labels": y[normal]}
            worst["gradient"] = max(worst["gradient"], account.share(operation, inputs, slope[normal], dtype, "logits"))
    account.within("The loss of logits is right for every gap up to 120, in every dtype", worst["value"])
    account.within("So is its gradient, as long as every probability is a normal number of the dtype", worst["gradient"])
    lost = account["logits winner float32"][GAPS >= 17.5]
    account.limit("float32: of the winner's own loss, 2e^-gap, it has no digit left from a gap of 17.5 on either: all of it is 0",
                  bool(np.all(lost == 0)), f"{int(np.sum(lost == 0))} zeros", f"{lost.size}")  # fmt: skip


def _allowed(account: Account, dtype: str, y: Floats) -> tuple[Floats, Floats]:
    """How far values and gradients of the two forms may be apart by rounding alone.

    Values: softmax's relative error, which the logarithm makes absolute, and the bounds of both losses. Gradients: the bound of softmax's
    pullback for the cotangent −y/p, whose own relative error is that of p, a quotient and a sign, and the bound of the other gradient.
    """
    from suite.operations import operations

    x, _ = rows()
    rounding = account.rounding(dtype)
    softmax, entropy = operations()["softmax"], operations()["softmax_cross_entropy_with_logits"]
    p, inputs = account.exact("softmax", {"x": x}), {"logits": x, "labels": y}
    loss, slope = account.exact(entropy.name, inputs), account.exact(entropy.name, inputs, "logits")
    chosen = (y * p).sum(axis=1)
    relative = (y * (np.asarray(softmax.bound({"x": x}, p, rounding)) + 4 * rounding.underflow)).sum(axis=1) / chosen
    own = operations()["categorical_cross_entropy"].bound({"probabilities": p, "labels": y}, loss, rounding)
    values = np.where(relative < 0.5, -np.log1p(-np.minimum(relative, 0.5)) + own + entropy.bound(inputs, loss, rounding), np.inf)
    assert softmax.gradient_bound is not None
    assert entropy.gradient_bound is not None
    (pulled,) = softmax.gradient_bound({"x": x, "cotangent": -y / chosen[:, None]}, slope, rounding)
    (other,) = entropy.gradient_bound(inputs, slope, rounding)
    return values, pulled + (2 * relative[:, None] + 2 * rounding.u) * np.abs(slope) + other + 4 * rounding.underflow


def _reach(dtype: str, clips: bool) -> float:
    """The gap up to which the form of probabilities is in range: p is not clipped, and three times the smallest normal number at least."""
    return float(-np.log(max(3 * FORMATS[dtype].tiny, EPSILON if clips else 0.0)))


def _judge_agreement(account: Account, dtype: str, clips: bool) -> None:
    from suite.casebook.errors import share

    _, labels = rows()
    reach = _reach(dtype, clips)
    inside, worst = reach - 0.25 > GAPS, [0.0, 0.0]
    # The winner's probability may round to 1 where 1 − p, which is 2e^-gap, is not beyond 2u.
    halved = (2 * np.exp(-GAPS) <= 2 * FORMATS[dtype].u) & (account.backend in HALVES and dtype in ("float16", "bfloat16"))
    for name, y in labels.items():
        for i, (what, allowed) in enumerate(zip(("", "slope "), _allowed(account, dtype, y), strict=True)):
            apart = account[f"probabilities {name} {what}{dtype}"] - account[f"logits {name} {what}{dtype}"]
            compared = inside & ~halved if what else inside
            worst[i] = max(worst[i], share(apart[compared], allowed[compared]))
    for what, used in zip(("values", "gradients"), worst, strict=True):
        account.within(f"{dtype}: both forms agree up to a gap of {min(reach, 120):.4g}, but for rounding: {what}", used)
    if halved.any():
        ratio = (account[f"probabilities winner slope {dtype}"] / account[f"logits winner slope {dtype}"])[inside & halved, 1:]
        account.limit(f"{dtype}: where the winner's p rounds to 1, the limit that it is clipped at, half of the gradient is lost: JAX's "
                      "clip gives half to the number and half to its limit", bool(np.any(np.abs(ratio - 0.5) <= 4 * FORMATS[dtype].u)),
                      f"factors from {ratio.min():.4g} to {ratio.max():.4g}", "0.5 at some gap")  # fmt: skip


def _judge_frontier(account: Account, dtype: str, clips: bool) -> None:
    loss, slope = account[f"probabilities loser {dtype}"], account[f"probabilities loser slope {dtype}"][:, 1]
    if clips:
        epsilon = float(round_to(FORMATS[dtype], np.array([EPSILON]), np.zeros(1))[0])
        beyond = -np.log(epsilon) + 0.5 < GAPS
        unit = 4 * FORMATS[dtype].u * 16
        account.near(f"{dtype}: beyond it clipping holds the loser's loss at −log ε", loss[beyond], -np.log(epsilon), unit, "limit")
        if dtype == "float16":
            lost = np.isnan(slope)
            account.limit("float16: its gradient is NaN at some gaps from 11.25 on, where 1/p is beyond 65504", lost.any() and
                          GAPS[lost].min() == 11.25, _from(lost), "from a gap of 11.25")  # fmt: skip
        else:
            account.limit(f"{dtype}: there its gradient is exactly 0, though the true one is −1", bool(np.all(slope[beyond] == 0)),
                          f"{int(np.sum(slope[beyond] == 0))} zeros", f"{int(beyond.sum())}")  # fmt: skip
        return
    gone = (account[f"softmax {dtype}"] == 0).any(axis=1)
    account.limit(f"{dtype}: unclipped, the loss is NaN or infinite exactly where a probability is 0: log 0, and 0 · log 0",
                  bool(np.all(gone == ~np.isfinite(loss))), _from(~np.isfinite(loss)), _from(gone))  # fmt: skip
    account.limit(f"{dtype}: and so is the gradient, there at the latest", not np.isfinite(slope[gone]).any(), _from(~np.isfinite(slope)),
                  f"{_from(gone)} at the latest")  # fmt: skip


def _from(where: Any) -> str:
    return f"from a gap of {GAPS[where].min():g}" if np.any(where) else "nowhere"


def _judge_keras(account: Account) -> None:
    """What a compiled model reports, and what the loss does with a result fresh from softmax."""
    x, _ = rows()
    judge = _judge_hidden if account.backend in HIDDEN_LOGITS else _judge_clipped
    for name in ("winner", "loser"):
        judge(account, name)
        share = account.share("softmax", {"x": x[list(ROWS)]}, account[f"predicted {name}"])
        account.within(f"{name}: a compiled model predicts softmax of the logits", share)


def _judge_hidden(account: Account, name: str) -> None:
    of_logits = account[f"logits {name} float32"]
    account.same(f"{name}: right behind softmax, Keras' loss of probabilities is that of logits, even eagerly", account[f"direct {name}"],
                 of_logits, "refuted")  # fmt: skip
    text = (
        "{}: and so is what a compiled model reports. Softmax leaves its logits on the result (_keras_logits), and _get_logits in "
        "keras/src/backend/tensorflow/nn.py takes them, from Keras 3.0.0 on at the latest"
    )
    # Both are within a few units in the last place of a number up to 40.
    account.near(text.format(name), account[f"reported {name}"][:, 0], of_logits[list(ROWS)], 4 * 2.0**-19, "refuted")


def _judge_clipped(account: Account, name: str) -> None:
    account.same(f"{name}: right behind softmax, the loss is that of clipped probabilities", account[f"direct {name}"],
                 account[f"probabilities {name} float32"])  # fmt: skip
    p = np.clip(account[f"predicted {name}"][:, 0 if name == "winner" else 1], np.float32(EPSILON), np.float32(1) - np.float32(EPSILON))
    # A logarithm of up to 16 is right to a few units in its last place, 2^-20.
    account.near(f"{name}: and so is what a compiled model reports", account[f"reported {name}"][:, 0], -np.log(p), 4 * 2.0**-20)


def _tabulate(account: Account) -> None:
    head = ("dtype", "loser, probabilities: loss off by more than 1", "gradient off by more than 0.1",
            "winner, probabilities: loss off by half", "winner, logits: loss off by half")  # fmt: skip
    winner = np.log1p(2 * np.exp(-GAPS))
    loser, slope = winner + GAPS, np.exp(-GAPS) / (1 + 2 * np.exp(-GAPS)) - 1
    found = []
    for dtype in DTYPES:
        off = [
            ~(np.abs(account[f"probabilities loser {dtype}"] - loser) <= 1),
            ~(np.abs(account[f"probabilities loser slope {dtype}"][:, 1] - slope) <= 0.1),
            ~(np.abs(account[f"probabilities winner {dtype}"] / winner - 1) <= 0.5),
            ~(np.abs(account[f"logits winner {dtype}"] / winner - 1) <= 0.5),
        ]
        found.append((dtype, *map(_from, off)))
    account.table("Frontiers: the first gap, in steps of 0.25, from which on something goes wrong", head, found)


def _draw(account: Account) -> None:
    every = slice(None, None, 2)
    styles: dict[str, Style] = {"loser": "line", "winner": "dashed"}
    panels = []
    for dtype in DTYPES:
        series = [
            line(f"{form}, {name}", GAPS[every], np.where(v > 0, v, np.nan)[every], style)
            for name, style in styles.items()
            for form in ("logits", "probabilities")
            for v in (account[f"{form} {name} {dtype}"],)
        ]
        panels.append(chart(dtype, Axis("gap between the logits"), Axis("loss (nats)", log=True), *series))
    panels.append(network("Model", [("logits", ["x1", "x2", "x3"]), ("softmax", ["p1", "p2", "p3"])]))
    account.figure(figure("Loss of logits and of probabilities by the winner's lead; zeros and NaN leave gaps", *panels))


ENTRY = Entry(
    "C10",
    "Cross-entropy of probabilities, and of logits",
    "002_fd96f1392fe2ebc9.txt",
    "Softmax followed by categorical cross-entropy is the same as cross-entropy from logits, only numerically less stable.",
    "Rows of three logits, one of which leads by a gap from 0 to 120, labelled with the winner and with a loser, at each dtype: values and "
    "gradients of both forms. Where there is no loss of probabilities, −Σ y log p is written out; Keras through a compiled model as well.",
    {"keras": _keras, "": _formulas},
    _judge,
    x64=True,
)
