"""C23: why squared error is slow on logistic regression: its gradient vanishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import ALL_DTYPES
from suite.casebook.base import Arrays, Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line
from suite.casebook.habits import EARLY_ZERO
from suite.casebook.logistic import CANONICAL, EVERY, LOSSES, RUNS, STEPS, design
from suite.floats import FORMATS, Floats, Format, from_ordinal, round_to, to_ordinal
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

COUNT = 4096
"""So many logits at a time, always: another number of them would be compiled anew."""
THIN = 3
"""Every third of the places recorded on each way."""
TAILS = tuple(product((0.0, 1.0), (1.0, -1.0)))
"""Label, and the sign of the logits."""
WRONG = TAILS[0], TAILS[3]
"""The tails where the prediction is certain and wrong."""


def limit(fmt: Format) -> float:
    """A logit beyond which every exact gradient that tends to 0 is below the format's smallest subnormal number."""
    return float(round_to(fmt, 2 - np.log(fmt.eta)))


def axis(fmt: Format) -> Floats:
    """Logits of either sign, evenly spaced, as the format has them."""
    return round_to(fmt, np.linspace(-limit(fmt), limit(fmt), COUNT))


def logits(fmt: Format, ways: Floats) -> Floats:
    """Those of all examples at the places taken of the ways, rounded to the format: a row for each example."""
    return round_to(fmt, design(arrays("logistic")["x"]) @ ways[:, ::THIN].reshape(-1, 2).T)


def _measured(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    matrix, labels = design(data["logistic.x"]), data["logistic.y"]
    for dtype, loss in product(ALL_DTYPES, LOSSES):
        fmt, gradient = FORMATS[dtype], _gradient(lab, loss, dtype)
        for label in (0.0, 1.0):
            found[f"axis {dtype} {loss} {label:.0f}"] = gradient(axis(fmt), np.full(COUNT, label))
        found[f"zero {dtype} {loss}"] = [_first_zero(gradient, y, fmt, sign) for y, sign in TAILS]
        x = round_to(fmt, matrix @ data[f"descents.{loss}"][:, ::THIN].reshape(-1, 2).T)
        each = gradient(x.ravel(), np.broadcast_to(labels, x.shape).ravel()).reshape(x.shape)
        found[f"way {dtype} {loss}"] = matrix.T @ each / len(labels)
        found[f"zeros on the ways {dtype} {loss}"] = np.sum(each == 0)
    return found


def _gradient(lab: Lab, loss: str, dtype: str) -> Callable[[Floats, Floats], Floats]:
    """The framework's gradient of its own loss from logits, at any logits."""
    backend = lab.backend
    compiled = backend.compile(backend.pullback(lab.function(CANONICAL[loss]), [0]), lab.mode)

    def gradient(x: Floats, labels: Floats) -> Floats:
        tensors = [backend.tensor(np.ascontiguousarray(a), dtype) for a in (x, labels, np.ones_like(x))]
        return np.asarray(backend.array(compiled(*tensors)[1][0]), dtype=np.float64)

    return gradient


def _first_zero(gradient: Callable[[Floats, Floats], Floats], label: float, fmt: Format, sign: float) -> float:
    """The smallest magnitude, of those looked at, from which the gradient is exactly 0; infinite if it is not 0 at the end.

    They are looked at ever more closely where the last one lies at which it is not 0, until they are neighbours.
    """
    low, high = int(to_ordinal(fmt, 0.5)), int(to_ordinal(fmt, limit(fmt)))
    while True:
        # In whole numbers: float64 does not tell the ordinals of its own neighbours apart.
        ordinals = np.unique(np.append(np.arange(low, high, max(1, (high - low) // (COUNT - 2)))[: COUNT - 1], high))
        x = from_ordinal(fmt, ordinals)
        got = gradient(sign * np.pad(x, (0, COUNT - len(x)), mode="edge"), np.full(COUNT, label))[: len(x)]
        if np.isnan(got).any():
            return float("nan")
        last = int(np.max(np.flatnonzero(got), initial=-1))
        if last == len(x) - 1:
            return float("inf")
        if last < 0 or ordinals[last + 1] == ordinals[last] + 1:
            return float(x[last + 1])
        low, high = int(ordinals[last]), int(ordinals[last + 1])


# Judgement


def _judge(account: Account) -> None:
    for loss in LOSSES:
        _judge_axis(account, loss)
    _judge_factor(account)
    _judge_zeros(account)
    _judge_ways(account)
    _tabulate(account)
    _draw(account)


def _judge_axis(account: Account, loss: str) -> None:
    """Within the operation's bound; the smallest normal number four times, since some modes flush what is below it, factor by factor."""
    early = loss == "BCE" and account.backend in EARLY_ZERO
    used = {(dtype, label): _share_on_axis(account, loss, dtype, label) for dtype, label in product(ALL_DTYPES, (0.0, 1.0))}
    within = max(share for (_, label), share in used.items() if not early or label == 0.0)
    labels = "label 0" if early else "either label"
    account.within(f"{loss}'s gradient by the logit is the exact one within its bound, in every dtype, for {labels}", within)
    if early:
        coarse = max(_share_on_axis(account, loss, dtype, 1.0, 4 * FORMATS[dtype].u) for dtype in ALL_DTYPES)
        account.within("For label 1 BCE's is off by four roundings of 1 at most, in every dtype", coarse, "limit")
        beyond = used["float32", 1.0]
        account.limit("float32: that is beyond its bound. It is σ(x) − 1 as it stands, which cancels where the prediction is "
                      "right", beyond > 1,
                      f"{beyond:.3g} of the bound", "> 1")  # fmt: skip


def _share_on_axis(account: Account, loss: str, dtype: str, label: float, more: float = 0.0) -> float:
    """The largest share of the bound, and of what is added to it, that gradients over the axis use up."""
    from suite.casebook.errors import allowed, share

    fmt = FORMATS[dtype]
    inputs = {"logits": axis(fmt), "labels": np.full(COUNT, label)}
    off = account[f"axis {dtype} {loss} {label:.0f}"] - account.exact(CANONICAL[loss], inputs, "logits")
    return share(off, allowed(account, CANONICAL[loss], inputs, dtype, "logits") + 4 * fmt.tiny + more)


def _judge_factor(account: Account) -> None:
    """float64, where the prediction is wrong: both gradients have 1 − p, or p, from a difference with 1, good to u·e^|x| at most."""
    from suite.casebook.errors import share

    fmt, worst = FORMATS["float64"], 0.0
    x = axis(fmt)
    for label in (0.0, 1.0):
        wrong = (np.abs(x) <= 15) & ((x > 0) == (label == 0))
        mse, bce = (account[f"axis float64 {loss} {label:.0f}"][wrong] for loss in ("MSE", "BCE"))
        p = 1 / (1 + np.exp(-x[wrong]))
        worst = max(worst, share(mse / (2 * bce * p * (1 - p)) - 1, 16 * fmt.u * np.exp(np.abs(x[wrong]))))
    account.within("MSE's gradient is BCE's, p − y, times 2p(1 − p): float64, up to logits of ±15, but for rounding", worst)


def _judge_zeros(account: Account) -> None:
    """Where gradients are 0 from, on the four tails: label and sign of the logit."""
    zero = {(dtype, loss): account[f"zero {dtype} {loss}"] for dtype in ALL_DTYPES for loss in LOSSES}
    wrong = [TAILS.index(tail) for tail in WRONG]
    account.claim("BCE's gradient is 0 at no logit, however large, where the prediction is certain and wrong, in every dtype",
                  all(bool(np.all(np.isposinf(zero[dtype, "BCE"][wrong]))) for dtype in ALL_DTYPES), "0 nowhere", "0 nowhere")  # fmt: skip
    for dtype in ALL_DTYPES:
        fmt, got = FORMATS[dtype], zero[dtype, "MSE"]
        text = f"{dtype}: MSE's gradient is exactly 0 from where σ rounds to 1, at −log u to within 1: for label 0, and for label 1"
        account.near(text, got[[0, 2]], np.full(2, -np.log(fmt.u)), 1.0)
        true = np.log(2 / fmt.tiny)
        account.claim(f"{dtype}: the true one for label 0, about 2e^-x, is a normal number up to {true:.4g}: zeros come too soon",
                      got[0] < true - 1, got[0], f"< {true:.4g}")  # fmt: skip
        # What underflows: σ(x)², and σ(x) itself, of which x may be rounded.
        least = np.array([true / 2, -np.log(fmt.tiny)]) * (1 - 2 * fmt.u)
        account.claim(f"{dtype}: where σ tends to 0, for label 0 and for label 1, it is 0 no sooner than its factors underflow",
                      bool(np.all(got[[1, 3]] >= least)), got[[1, 3]], f"≥ {least[0]:.4g}, {least[1]:.4g}")  # fmt: skip
    early = account.backend in EARLY_ZERO
    for dtype in ALL_DTYPES:
        got, true = zero[dtype, "BCE"], float(-np.log(FORMATS[dtype].tiny))
        account.claim(f"{dtype}: where label 0 is predicted rightly, BCE's gradient σ(x) is 0 no sooner than it has to",
                      got[1] >= true * (1 - 2 * FORMATS[dtype].u), got[1], f"≥ {true:.4g}")  # fmt: skip
        text = f"{dtype}: where label 1 is predicted rightly, BCE's gradient σ(x) − 1 is 0 " + (
            "too soon as well" if early else "no sooner than it has to"
        )
        holds = got[2] < true - 1 if early else got[2] > true - 1
        (account.limit if early else account.claim)(text, holds, got[2], f"the true one is a normal number up to {true:.4g}")


def _norms(account: Account, dtype: str, loss: str) -> Floats:
    """Norms of the mean gradient: a row for each of C22's runs."""
    return np.asarray(np.linalg.norm(account[f"way {dtype} {loss}"], axis=0).reshape(len(RUNS), -1))


def _judge_ways(account: Account) -> None:
    from suite.casebook.descent import Point
    from suite.casebook.errors import share

    matrix, y = design(arrays("logistic")["x"]), arrays("logistic")["y"]
    for loss in ("MSE", "BCE"):
        ways = arrays("descents")[loss][:, ::THIN].reshape(-1, 2).T
        exact, logit, worst = Point(matrix, y, ways, loss).gradient, np.abs(matrix @ ways), 0.0
        for dtype in ALL_DTYPES:
            # A logit is rounded to the dtype, which moves a slope by a quarter of that at most; ten roundings of 1 follow.
            allowed = np.abs(matrix).T @ (FORMATS[dtype].u * (logit / 4 + 10) + 4 * FORMATS[dtype].tiny) / len(y)
            worst = max(worst, share(account[f"way {dtype} {loss}"] - exact, allowed))
        account.within(f"{loss}'s mean gradients along C22's descents are the exact ones, but for rounding, in every dtype", worst)
    far = [run.name for run in RUNS].index("SGD from (−10, −1)")
    mse, bce = (_norms(account, "float32", loss)[far] for loss in ("MSE", "BCE"))
    account.claim("At (−10, −1) MSE's gradient is less than a 10,000th of BCE's: it has vanished", bce[0] > 1e4 * mse[0],
                  f"{mse[0]:.4g} and {bce[0]:.4g}", "1 : 10,000")  # fmt: skip
    account.claim("And it stays so all along SGD's descent from there, over which BCE's descent arrives", float(np.max(mse)) < 3e-5,
                  np.max(mse), "< 3e-5")  # fmt: skip
    lost = {dtype: int(account[f"zeros on the ways {dtype} MSE"]) for dtype in ALL_DTYPES}
    kept = {dtype: int(account[f"zeros on the ways {dtype} BCE"]) for dtype in ALL_DTYPES}
    account.claim("float16: on the ways thousands of single examples' gradients of MSE are exactly 0", lost["float16"] > 1000,
                  lost["float16"], "> 1,000")  # fmt: skip
    account.same("Of BCE's not one is, in any dtype", list(kept.values()), [0] * len(kept))
    account.same("In float32 and float64 not one of MSE's is either", [lost["float32"], lost["float64"]], [0, 0])
    account.claim("bfloat16: of MSE's some are", lost["bfloat16"] > 0, lost["bfloat16"], "> 0")


def _tabulate(account: Account) -> None:
    head = ["dtype", "loss", *(f"y = {label:.0f}, x → {'+' if sign > 0 else '−'}∞" for label, sign in TAILS)]
    rows = [[dtype, loss, *("never" if np.isinf(at) else f"{at:.6g}" for at in account[f"zero {dtype} {loss}"])]
            for dtype in ALL_DTYPES for loss in LOSSES]  # fmt: skip
    account.table("Magnitude of the logit from which the gradient is exactly 0", head, rows)


def _draw(account: Account) -> None:
    panels = []
    for dtype in ALL_DTYPES:
        fmt = FORMATS[dtype]
        x = axis(fmt)
        some = np.flatnonzero(x >= 0)[::12]
        exact = 2 * np.exp(-x[some]) / (1 + np.exp(-x[some])) ** 3
        curves = {loss: np.abs(account[f"axis {dtype} {loss} 0"][some]) for loss in LOSSES}
        series = [line(f"{loss}, computed", x[some], np.where(v > 0, v, np.nan)) for loss, v in curves.items()]
        axes = Axis("logit x, label 0"), Axis("|gradient|", log=True)
        panels.append(chart(dtype, *axes, *series, line("MSE, exact", x[some], np.where(exact >= fmt.eta, exact, np.nan), "dashed")))
    account.figure(figure("Gradients of a wrong prediction: MSE's vanishes, and in floating point it ends early", *panels))
    epochs = np.arange(0, STEPS + 1, EVERY * THIN)
    ways = [
        chart(run.name, Axis("epoch"), Axis("norm of the gradient", log=True), *(line(loss, epochs, _norms(account, "float32", loss)[i])
              for loss in LOSSES))
        for i, run in enumerate(RUNS)
    ]  # fmt: skip
    account.figure(figure("Norms of the mean gradient along C22's descents, float32", *ways))


ENTRY = Entry(
    "C23",
    "Why: the gradient vanishes",
    "004_78d1e29d7eb87949.txt",
    "Squared error of a sigmoid is slow since its gradient vanishes: it carries the factor p(1 − p), which cross-entropy's gradient p − y "
    "does not have.",
    "The frameworks' own losses from logits: gradients over an axis of logits and along C22's descents at each dtype, and the logit from "
    "which each gradient is exactly 0, to the last bit.",
    {"": _measured},
    _judge,
    data=("logistic", "descents"),
    x64=True,
)
