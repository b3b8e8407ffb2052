"""C2: the decision boundary is where the two logits are equal, and logits can be had from a trained network with softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited, fit, sequential
from suite.backends.training import Dense, Training, Weights, forward
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Floats, to_ordinal
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

HIDDEN = (Dense(20, "relu"), Dense(20, "relu"), Dense(20, "relu"))
FULL, BARE = (*HIDDEN, Dense(2, "softmax")), (*HIDDEN, Dense(2))
STEPS, RATE = 300, 0.01
SEGMENTS = 150
EXAMPLES = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])
"""What the document expects before softmax: certain of the first class, less certain, on the boundary, certain of the second."""


def _start() -> Weights:
    """Glorot and Bengio's normal weights (AISTATS 2010), without biases."""
    random, widths = np.random.RandomState(2), (2, 20, 20, 20, 2)
    kernels = [random.normal(scale=np.sqrt(2 / (n + m)), size=(n, m)) for n, m in pairwise(widths)]
    return [w.astype(np.float32) for kernel in kernels for w in (kernel, np.zeros(kernel.shape[1]))]


def _by_functions(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    x, y, ops = data["overlapping.x"].astype(np.float32), np.eye(2)[data["overlapping.y"]], lab.ops

    def loss(y: Any, p: Any) -> Any:
        return -ops.mean(ops.sum(y * ops.log(p), axis=-1))

    def cut(x: Any, *weights: Any) -> tuple[Any, Any]:
        logits = ops.matmul(forward(ops, HIDDEN, weights[:-2], x), weights[-2]) + weights[-1]
        return logits, ops.softmax(logits)

    done = lab.train(Training(FULL, loss, "adam", RATE, STEPS, STEPS), _start(), x, y)
    weights = [lab.backend.tensor(w, "float32") for w in done.weights]

    def compiled(function: Callable[..., Any]) -> Callable[[Any], Any]:
        run = lab.backend.compile(function, lab.mode)
        return lambda x: run(lab.backend.tensor(x, "float32"), *weights)

    def array(tensor: Any) -> Floats:
        return np.asarray(lab.backend.array(tensor), dtype=np.float64)

    whole, bare = (compiled(lambda x, *weights, layers=layers: forward(ops, layers, weights, x)) for layers in (FULL, BARE))
    logits, inside = (array(tensor) for tensor in compiled(cut)(x))
    found = {"reported": done.reported, "predicted": done.predicted, "cut": logits, "cut softmax": inside}
    return found | _boundary(lab, done.weights, x, lambda x: array(whole(x)), lambda x: array(bare(x)))


def _by_models(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The model that was trained is cut in two ways: a linear layer behind its hidden ones, and its own activation taken away."""
    x, y = data["overlapping.x"].astype(np.float32), np.eye(2, dtype=np.float32)[data["overlapping.y"]]
    model = sequential(FULL, 2, _start())
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="categorical_crossentropy")
    fit(model, x, y, STEPS)
    found = audited(model, x, y)
    weights = model.get_weights()

    cut = keras.Model(model.inputs, keras.layers.Dense(2)(model.layers[-2].output))
    cut.layers[-1].set_weights(model.layers[-1].get_weights())
    whole, bare = sequential(FULL, 2, weights), sequential(BARE, 2, weights)

    def predictions(model: Any) -> Floats:
        return np.asarray(model.predict(x, batch_size=len(x), verbose=0), dtype=np.float64)

    model.layers[-1].activation = keras.activations.linear
    stale = predictions(model)
    model.make_predict_function(force=True)
    more = {"reported": found["reported"], "predicted": found["predicted"], "cut": predictions(cut), "stale": stale,
            "without activation": predictions(model)}  # fmt: skip

    def at_once(model: Any) -> Callable[[Floats], Floats]:
        return lambda x: np.asarray(model.predict_on_batch(x), dtype=np.float64)

    return more | _boundary(lab, weights, x, at_once(whole), at_once(bare))


def _boundary(lab: Lab, weights: Weights, x: Any, whole: Callable[[Any], Floats], bare: Callable[[Any], Floats]) -> dict[str, Any]:
    """The network without activation, and points of the boundary: halving segments between points on either side to the last bit."""
    logits = bare(x)
    side = logits[:, 0] - logits[:, 1]
    first, second = (x[where][:SEGMENTS] for where in (side > 0, side <= 0))
    for _ in range(100):
        middle = (first + second) / np.float32(2)
        if np.all((middle == first).all(axis=1) | (middle == second).all(axis=1)):
            break
        found = bare(middle)
        ahead = (found[:, 0] > found[:, 1])[:, None]
        first, second = np.where(ahead, middle, first), np.where(ahead, second, middle)
    return {
        "transferred": logits, "softmax of logits": lab.values(lab.ops.softmax, logits), "examples": lab.values(lab.ops.softmax,
        EXAMPLES.astype(np.float32)), "first": first, "second": second, "first logits": bare(first), "second logits": bare(second),
        "first p": whole(first), "second p": whole(second), **{f"weights {i}": w for i, w in enumerate(weights)},
    }  # fmt: skip


def _judge(account: Account) -> None:
    from suite.casebook.audit import audit, categorical
    from suite.casebook.errors import dense, share

    labels, logits, p = np.eye(2)[account.data["overlapping.y"]], account["transferred"], account["predicted"]
    audit(account, "the trained network", float(account["reported"].ravel()[0]), categorical(labels, p, account.rounding()))
    _cuts(account, logits, p)
    x, weights = account.data["overlapping.x"].astype(np.float32).astype(np.float64), [account[f"weights {i}"] for i in range(8)]
    exact, error = dense(weights, x)
    account.within(
        "They are the trained weights' own, computed in float64, within the bound of their rounding", share(logits - exact, error)
    )
    text = "What the trained network predicts is softmax of these logits, within softmax's bound"
    account.within(text, account.share("softmax", {"x": logits}, p))
    again = account["softmax of logits"]
    differing = int(np.sum(again != p))
    account.within(
        f"So is softmax applied to them afterwards: {differing} of its 1,200 values differ from the network's",
        account.share("softmax", {"x": logits}, again),
    )
    sides = logits[:, 0] > logits[:, 1]
    account.same("The larger probability belongs to the larger logit at all 600 points", p[:, 0] > p[:, 1], sides)
    second = account.data["overlapping.y"] == 1
    right, best = np.sum(sides != second), np.sum((account.data["overlapping.x"].sum(axis=1) > 0) == second)
    account.claim(
        "The network has learnt to tell the classes apart: it classifies as many of its 600 points correctly as the line x₁ + x₂ = 0, "
        "which is best for further ones",
        right >= best,
        right,
        f"≥ {best}",
    )
    _points(account)
    _examples(account)
    _show(account, logits, p)


def _cuts(account: Account, logits: Floats, p: Floats) -> None:
    text = "{} gives the same logits bit for bit as a network without activation that its weights are moved to, at all 600 points"
    account.same(text.format("The trained network cut before softmax"), account["cut"], logits)
    if not account.backend.startswith("keras"):
        share = account.share("softmax", {"x": logits}, account["cut softmax"])
        account.within("Softmax inside the cut network is within its bound", share)
        return
    account.same(text.format("The trained model with its last activation replaced"), account["without activation"], logits)
    account.same(
        "It does so only once its compiled function is made anew (make_predict_function(force=True)): until then a model that has "
        "predicted before goes on to return softmax",
        account["stale"],
        p,
        role="limit",
    )


def _points(account: Account) -> None:
    """How near to ½ the points found are.

    Between neighbours a and b the computed difference of the logits changes sign, so it is no larger at either than the two computed ones
    are apart. Both are held against the exact one at a: the one computed there is off by its rounding, the one computed at b by that of
    inputs which are off by |a − b|. From there to ½ it is σ's slope, 1/4 at most, and softmax's bound.
    """
    from suite.casebook.errors import allowed, dense, share

    weights = [account[f"weights {i}"] for i in range(8)]
    first, second = account["first"], account["second"]
    steps = np.abs(to_ordinal(FORMATS["float32"], first) - to_ordinal(FORMATS["float32"], second))
    account.claim(
        f"{SEGMENTS} points of the boundary are enclosed between float32 neighbours in both coordinates",
        len(first) == SEGMENTS and np.max(steps) <= 1,
        np.max(steps),
        "≤ 1",
    )
    off = {name: account[f"{name} logits"][:, 0] - account[f"{name} logits"][:, 1] for name in ("first", "second")}
    changes = int(np.sum((off["first"] > 0) & (off["second"] <= 0)))
    account.claim("Between the two neighbours of each, x₁ − x₂ changes its sign", changes == SEGMENTS, changes, SEGMENTS)
    for name, points in (("first", first), ("second", second)):
        exact, error = dense(weights, points)
        bound = (error + dense(weights, points, np.abs(first - second))[1]).sum(axis=1)
        account.within(
            f"On the {name} class's side the logits are the network's own, and equal, within the bounds of their rounding: they are up to "
            f"{np.max(np.abs(off[name])):.2g} apart, of {np.max(bound):.2g}",
            max(share(off[name], bound), share(account[f"{name} logits"] - exact, error)),
        )
        away, of_softmax = account[f"{name} p"] - 0.5, allowed(account, "softmax", {"x": account[f"{name} logits"]})
        account.within(
            f"There both probabilities are 0.5 within a quarter of that difference and softmax's bound: up to "
            f"{np.max(np.abs(away)):.2g} off",
            share(away, np.abs(off[name])[:, None] / 4 + of_softmax),
        )


def _examples(account: Account) -> None:
    account.printed("The document's vectors before softmax differ by as much as it says", "differences", EXAMPLES[:, 0] - EXAMPLES[:, 1])
    x = EXAMPLES.astype(np.float32).astype(np.float64)
    share = account.share("softmax", {"x": x}, account["examples"])
    first = account["examples"][:, 0]
    account.limit(
        "Logits are no probabilities: what the document takes for certainty, (0.9, 0.1), is softmax's "
        f"{first[0]:.3f}, not 0.9, and (0.1, 0.9) is {first[3]:.3f}; only equal logits mean what they seem to, {first[2]:g}",
        share <= 1 and first[2] == 0.5,
        first,
        "σ(0.8), σ(0.2), 0.5, σ(−0.8)",
    )
    spread = account["transferred"]
    account.limit(
        "Nor do the trained network's logits lie between 0 and 1",
        np.min(spread) < 0 and np.max(spread) > 1,
        f"{np.min(spread):.4g} to {np.max(spread):.4g}",
        "beyond [0, 1]",
    )


def _show(account: Account, logits: Floats, p: Floats) -> None:
    x, y = account.data["overlapping.x"], account.data["overlapping.y"]
    apart, found, near = logits[:, 0] - logits[:, 1], account["first"], account["first logits"]
    account.figure(
        figure(
            "The decision boundary, where the two logits are equal",
            chart(
                "Data and boundary",
                Axis("first feature"),
                Axis("second feature"),
                line("first class", x[y == 0, 0], x[y == 0, 1], "points"),
                line("second class", x[y == 1, 0], x[y == 1, 1], "points"),
                line("x₁ = x₂, found by bisection", found[:, 0], found[:, 1], "points"),
            ),
            chart(
                "What softmax makes of the logits",
                Axis("difference of the logits, x₁ − x₂"),
                Axis("probability of the first class"),
                line("training points", apart[::2], p[::2, 0], "points"),
                line("points of the boundary", near[:, 0] - near[:, 1], account["first p"][:, 0], "points"),
            ),
            network("Network", [("input", ["1", "2"]), *[("20 relu", ["1", "…", "20"])] * 3, ("softmax", ["p₁", "p₂"])]),
        )
    )


ENTRY = Entry(
    "C2",
    "The boundary of a softmax classifier is where its two logits are equal",
    "001_6dd32db1a395a767.txt",
    "For two classes the decision boundary is where the difference of the two values before softmax is 0. These logits can be had by "
    "cutting off the last activation, or by moving the weights to a network without it.",
    "A 2-20-20-20-2 relu network with softmax is trained on two overlapping clouds, cut, and its weights moved. Points of the boundary are "
    "found by bisection between points of the two classes.",
    {"keras": _by_models, "": _by_functions},
    _judge,
    data=("overlapping",),
)
