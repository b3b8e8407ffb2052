"""C22: descent on the two surfaces of logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from suite.casebook.base import Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line, moving, network, path, surface
from suite.casebook.logistic import EVERY, LOSSES, MINIMA, RUNS, STEPS, TRUTH, W0, W1, Run, design
from suite.casebook.optimising import SINGLE, by_jax, by_keras, by_tensorflow
from suite.floats import Floats
from suite.model import Axis, Panel

if TYPE_CHECKING:
    from suite.casebook.account import Account
    from suite.casebook.descent import Followed

NEAR_3, FAR, ADAM_3, ADAM_FAR, FRESH = RUNS
WHY = {
    "keras-jax": "with 1/2000 rounded to float32, in which keras.ops.mean computes on JAX whatever it is given "
    "(keras/src/backend/jax/numpy.py; keras/src/backend/common/dtypes.py, BIT64_TO_BIT32_DTYPE)",
    "keras-tensorflow": "with β₁ and β₂ rounded to float32 in the correction of the bias, since tf.cast of a Python number makes "
    "it float32 first "
    "(keras/src/optimizers/adam.py, update_step; keras/src/backend/tensorflow/core.py, cast)",
    "jax": "with ε added to the corrected root mean square, as optax has it, where Keras adds it to the uncorrected one",
}
"""How an optimiser differs from the document's on a backend, where it does."""


def _judge(account: Account) -> None:
    passed = [_judge_double(account, run) for run in RUNS]
    if max(passed) > 0:
        account.limit("As the document's framework has it, without that difference, they would not be: the bound is "
                      "passed", max(passed) > 1,
                      f"{max(passed):.3g} of the bound", "> 1")  # fmt: skip
    _judge_single(account)
    _judge_ends(account)
    if account.backend.startswith("keras"):
        _judge_reported(account)
    _draw(account)


def _followed(account: Account, run: Run, loss: Any, dtype: str = "float64", plain: bool = False) -> Followed:
    from suite.casebook.descent import Rule, of_run, rule

    own = Rule(run.optimiser) if plain else rule(account.backend, run.optimiser)
    return of_run(run, loss, own, account.rounding(dtype), STEPS, EVERY)


def _judge_double(account: Account, run: Run) -> float:
    """What the framework has of the bound about the document's own rule where it follows another; 0 where it does not."""
    from suite.casebook.descent import Rule, rule
    from suite.casebook.errors import share

    def used(plain: bool) -> float:
        wanted = {loss: _followed(account, run, loss, plain=plain) for loss in LOSSES}
        return max(share(account[f"float64 {loss} {run.name}"] - way.path, 2 * way.error) for loss, way in wanted.items())

    text = f"{run.name}, in float64: the weights every 15 epochs are those of NumPy's descent on either loss"
    if rule(account.backend, run.optimiser) == Rule(run.optimiser):
        account.within(f"{text}, within what rounding can do to both", used(True))
        return 0.0
    account.within(f"{text} {WHY[account.backend]}, within what rounding can do to both", used(False), "limit")
    return used(True)


def _judge_single(account: Account) -> None:
    from suite.casebook.errors import share

    for run in SINGLE:
        wanted = {loss: _followed(account, run, loss, "float32") for loss in LOSSES}
        used = max(share(account[f"float32 {loss} {run.name}"] - way.path, way.error) for loss, way in wanted.items())
        account.within(f"{run.name}, in float32, the document's dtype: the same, within what float32's rounding can do", used)
    ways = [account[f"{dtype} MSE {FAR.name}"] for dtype in ("float64", "float32")]
    gone = [float(np.linalg.norm(way[-1] - way[0])) for way in ways]
    account.limit("In float32 even the way that MSE's vanishing gradient leads is lost in part: near −10 numbers are 9.5e-7 "
                  "apart, a step is "
                  "about 2.3e-6 and rounds to two of them; of the distance that float64 goes it goes this "
                  "share", 0.75 < gone[1] / gone[0] < 0.95,
                  gone[1] / gone[0], "0.75 to 0.95")  # fmt: skip


def _judge_ends(account: Account) -> None:
    ends = {(loss, run.name): account[f"float64 {loss} {run.name}"][-1] for loss in LOSSES for run in RUNS}
    left = {key: float(np.linalg.norm(end - np.array(MINIMA[key[0]]))) for key, end in ends.items()}
    for loss in LOSSES:
        account.printed(f"SGD on {loss} from (−10, −1) ends here in float64", f"end {loss}", ends[loss, FAR.name])
    account.claim(
        "SGD from (−3, −1): MSE ends more than twice as far from its minimum as BCE from its own",
        left["MSE", NEAR_3.name] > 2 * left["BCE", NEAR_3.name],
        left["MSE", NEAR_3.name],
        f"> 2 · {left['BCE', NEAR_3.name]:.4g}",
    )
    moved = float(np.linalg.norm(ends["MSE", FAR.name] - np.array(FAR.start)))
    account.claim("SGD from (−10, −1): MSE has not moved in 435 epochs", moved < 0.002, moved, "< 0.002")
    account.claim("BCE has come within 1.5 of its minimum from there", left["BCE", FAR.name] < 1.5, left["BCE", FAR.name], "< 1.5")
    for loss in LOSSES:
        account.claim(f"Adam from (−3, −1), as the document runs it, brings {loss} to its minimum, all but", left[loss, ADAM_3.name] < 0.05,
                      left[loss, ADAM_3.name], "< 0.05")  # fmt: skip
    account.claim("Adam from (−10, −1), as the document runs it, leaves MSE as far away as it was",
                  left["MSE", ADAM_FAR.name] > 10, left["MSE", ADAM_FAR.name], "> 10")  # fmt: skip
    account.claim("It brings BCE near its minimum", left["BCE", ADAM_FAR.name] < 0.2, left["BCE", ADAM_FAR.name], "< 0.2")
    account.limit("That Adam fails there is not MSE's doing alone: the document takes one epoch from other weights first, and "
                  "the second moment that it leaves outweighs the gradients at (−10, −1). Adam without it brings MSE to its "
                  "minimum as well, all but",
                  left["MSE", FRESH.name] < 0.05, left["MSE", FRESH.name], "< 0.05")  # fmt: skip
    single = {run.name for run in SINGLE}
    narrow = {(loss, name): _pair(account[f"float32 {loss} {name}"][-1]) for loss in LOSSES for name in single}
    rows = [
        [run.name, loss, _pair(ends[loss, run.name]), f"{left[loss, run.name]:.4g}", narrow.get((loss, run.name), "")]
        for run in RUNS
        for loss in LOSSES
    ]
    account.table("Where 435 epochs end: intercept, slope", ["run", "loss", "float64", "distance from the loss's minimum", "float32"], rows)


def _pair(weights: Floats) -> str:
    return f"({weights[0]:.8g}, {weights[1]:.8g})"


def _judge_reported(account: Account) -> None:
    from suite.casebook.audit import audit
    from suite.casebook.descent import recomputed

    for dtype in ("float64", "float32"):
        for loss in ("MSE", "BCE"):
            for optimiser, name in (("sgd", "SGD"), ("adam", "Adam")):
                key = f"{dtype} {loss} {optimiser}"
                again = recomputed(account, loss, account[f"{key} predicted"], dtype)
                audit(account, f"the last {dtype} model trained by {name} on {loss}", float(account[f"{key} reported"][0]), again)


def _draw(account: Account) -> None:
    from suite.casebook.descent import Point

    data = arrays("logistic")
    x, y, p = (data[name][::10, 0] for name in ("x", "y", "p"))
    axes = Axis("intercept w0"), Axis("slope w1")
    grid = np.stack([each.ravel() for each in np.meshgrid(W0[::3], W1[::3], indexing="ij")])

    def height(loss: Any, weights: Floats) -> Floats:
        return Point(design(data["x"]), data["y"], weights, loss).value

    surfaces = {loss: surface(loss, W0[::3], W1[::3], height(loss, grid).reshape(len(W0[::3]), -1)) for loss in LOSSES}
    for run in RUNS:
        panels, curves = [], []
        for loss in LOSSES:
            way = account[f"float64 {loss} {run.name}"]
            star = line("truth", [TRUTH[0]], [TRUTH[1]], "marked", z=tuple(height(loss, np.array(TRUTH)[:, None]).tolist()))
            drawn = surfaces[loss], path("descent", way[:, 0], way[:, 1], height(loss, way.T)), star
            panels.append(Panel(loss, drawn, *axes, Axis(loss)))
            curves.append(moving(f"fit by {loss}", x[::5], [1 / (1 + np.exp(-(a + b * x[::5]))) for a, b in way]))
        known = line("labels, every tenth", x, y, "points"), line("P(y = 1)", x, p, "dashed")
        account.figure(
            figure(run.name, *panels, chart("Fits", Axis("x"), Axis("probability"), *known, *curves),
                   steps=[f"epoch {EVERY * i}" for i in range(STEPS // EVERY + 1)])
        )  # fmt: skip
    account.figure(figure("The network of every run", network("Without a bias", [("input", ["1", "x"]), ("sigmoid", ["ŷ"])])))


ENTRY = Entry(
    "C22",
    "Descent on the two surfaces",
    "004_78d1e29d7eb87949.txt",
    "In 435 epochs SGD gets from (−3, −1) far nearer to the minimum on cross-entropy than on the squared error; Adam helps the "
    "squared error "
    "there, but not from (−10, −1).",
    "The document's runs of 29 × 15 epochs on a sigmoid unit of 1 and x, with the epoch from other weights that goes before its "
    "runs of Adam; "
    "SGD and an Adam without that epoch from (−10, −1) beside them; float64, and float32 from (−10, −1).",
    {"keras": by_keras, "tensorflow": by_tensorflow, "jax": by_jax},
    _judge,
    data=("logistic",),
    x64=True,
)
