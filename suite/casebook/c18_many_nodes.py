"""C18: 512 relu nodes fit well, though some of them are dead; and they fit noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.training import Dense, Training, Weights, flattened, forward, glorot
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, moving, network
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis, Series

if TYPE_CHECKING:
    from suite.casebook.account import Account

NODES, EPOCHS, EVERY = 512, 1000, 250
LAYERS = (Dense(NODES, "relu"), Dense(1))
RATES = {"bent": 0.1, "noise": 0.5}
SEED = 43056
NETWORK = network("Network", [("input", ["x"]), ("relu", ["node 1", "node 2", "…", f"node {NODES}"]), ("linear", ["ŷ"])])


def start() -> Weights:
    """Kernels as Glorot and Bengio have them, biases 0."""
    random = np.random.RandomState(SEED)
    first, second = glorot(random, 1, NODES), glorot(random, NODES, 1)
    return [w.astype(np.float32) for w in (first, np.zeros(NODES), second, np.zeros(1))]


def _by_name(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _measured(lab, data, "mse")


def _by_function(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _measured(lab, data, _squared_error(lab))


def _squared_error(lab: Lab) -> Any:
    return lambda y, prediction: lab.ops.mean(lab.ops.square(prediction - y))


def _measured(lab: Lab, data: Arrays, loss: Any) -> Mapping[str, Any]:
    error = _squared_error(lab)
    found: dict[str, Any] = {}

    def objective(*tensors: Any) -> Any:
        return error(tensors[5], forward(lab.ops, LAYERS, tensors[:4], tensors[4]))

    for name, rate in RATES.items():
        x, y = (data[f"{name}.{letter}"].astype(np.float32) for letter in "xy")
        done = lab.train(Training(LAYERS, loss, "sgd", rate, EPOCHS, EVERY), start(), x, y)
        before = lab.values(lambda x, w, b: lab.ops.matmul(x, w) + b, x, *done.weights[:2])
        gradients = lab.gradients(objective, *done.weights, x, y, wrt=(0, 1, 2))
        found[f"{name} weights"], found[f"{name} reported"] = flattened(done.weights), done.reported
        found[f"{name} predicted"], found[f"{name} pre-activations"] = done.predicted[:, 0], before
        found[f"{name} gradients"] = np.stack([g.ravel() for g in gradients])
        found[f"drawn {name} path"] = done.path
    return found


def _judge(account: Account) -> None:
    for name in RATES:
        _judge_honest(account, name)
    _judge_bent(account)
    _judge_noise(account)


def _points(account: Account, name: str) -> tuple[Floats, Floats]:
    """As float32, which they are trained in."""
    x, y = (account.data[f"{name}.{letter}"][:, 0].astype(np.float32).astype(np.float64) for letter in "xy")
    return x, y


def _layers(w: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Pre-activations ``(len(x), NODES)``, and each node's part in the output, of a row of all weights."""
    before = x[:, None] * w[:NODES] + w[NODES : 2 * NODES]
    return before, np.maximum(before, 0) * w[2 * NODES : 3 * NODES]


def _line(x: Floats, y: Floats) -> Floats:
    """The best straight line's values."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    return np.asarray(design @ np.linalg.lstsq(design, y, rcond=None)[0])


def _judge_honest(account: Account, name: str) -> None:
    """What the framework says of its network follows from the weights."""
    (x, y), u, w = _points(account, name), FORMATS["float32"].u, account[f"{name} weights"]
    what = {"bent": "Bent line", "noise": "Noise"}[name]
    before, parts = _layers(w, x)
    sizes = np.abs(x[:, None] * w[:NODES]) + np.abs(w[NODES : 2 * NODES])
    account.near(f"{what}: the pre-activations are those of the weights, but for a product's and a sum's rounding",
                 account[f"{name} pre-activations"], before, float(np.expm1(2 * u) * sizes.max()))  # fmt: skip
    terms = (sizes * np.abs(w[2 * NODES : 3 * NODES])).sum(axis=1) + abs(w[-1])
    got = account[f"{name} predicted"]
    account.near(f"{what}: so are the predictions, but for that of a sum of 512 products and a bias", got, parts.sum(axis=1) + w[-1],
                 float(np.expm1((NODES + 4) * u) * terms.max()))  # fmt: skip
    residual = np.abs(got - y)
    again = float(np.mean(residual**2))
    error = float(np.mean(2 * residual * u * (np.abs(got) + residual))) + (len(x) + 3) * u * again
    account.near(f"{what}: the loss reported is that of the predictions, but for the rounding of each, of 100 squares and their sum",
                 account[f"{name} reported"], again, error)  # fmt: skip


def _dead(account: Account, name: str) -> Any:
    """Which nodes are off at every x; says that no gradient reaches them.

    Where the largest pre-activation is so near 0 that its rounding decides, the gradient's own graph may decide otherwise.
    """
    largest, w = account[f"{name} pre-activations"].max(axis=0), account[f"{name} weights"]
    dead = largest <= 0
    sure = (largest == 0) | (np.abs(largest) > np.expm1(4 * FORMATS["float32"].u) * (np.abs(w[:NODES]) + np.abs(w[NODES : 2 * NODES])))
    gradients, off, on = account[f"{name} gradients"], dead & sure, ~dead & sure
    account.same(f"The gradients of all that belongs to a dead node are exactly 0: {int(off.sum())} kernels, biases, weights that lead on",
                 gradients[:, off], np.zeros((3, int(off.sum()))))  # fmt: skip
    moved = np.isfinite(gradients).all(axis=0) & np.any(gradients != 0, axis=0)
    account.claim("Every other node has a gradient", np.all(moved[on]), f"{int(moved[on].sum())} of {int(on.sum())}", "all")
    return dead


def _judge_bent(account: Account) -> None:
    (x, y), got = _points(account, "bent"), account["bent predicted"]
    truth, straight = np.where(x < 0, x, 3.5 * x), _line(x, y)
    noise, loss, baseline = (float(np.mean((each - y) ** 2)) for each in (truth, got, straight))
    account.claim(
        "Bent line: 512 nodes end at a loss below half the best straight line's", loss < baseline / 2, loss, f"< {baseline:.6g} / 2"
    )
    account.claim("They come as near to the data as the line does that the data were made of", loss <= noise, loss, f"≤ {noise:.6g}")
    away = float(np.mean((got - truth) ** 2))
    account.claim("And they come near that line itself: their squared distance from it is less than a tenth of the noise",
                  away < noise / 10, away, f"< {noise:.6g} / 10")  # fmt: skip
    dead = _dead(account, "bent")
    account.claim(
        f"They do so although some of the {NODES} nodes are dead at the end", 0 < dead.sum() < NODES, int(dead.sum()), "at least 1"
    )
    fits = line("data", x, y, "points"), line("what the data were made of", x, truth, "dashed"), _fits(account, "bent", x)
    account.figure(
        figure(
            f"512 nodes on the bent line; {int(dead.sum())} are dead at the end",
            chart("Fit", Axis("x"), Axis("y"), *fits),
            chart("Where nodes bend", Axis("x"), Axis("slope that the node adds"), *_bends(account["bent weights"], dead, -1.0)),
            NETWORK,
            steps=_steps(),
        )
    )


def _judge_noise(account: Account) -> None:
    (x, y), got, w = _points(account, "noise"), account["noise predicted"], account["noise weights"]
    straight = _line(x, y)
    loss, baseline = (float(np.mean((each - y) ** 2)) for each in (got, straight))
    account.claim("Noise: 512 nodes end at a loss more than a tenth below the best straight line's", loss < 0.9 * baseline, loss,
                  f"< 0.9 · {baseline:.6g}")  # fmt: skip
    learnt, little = float(np.mean(got**2)), float(np.mean(straight**2))
    account.claim("What they have learnt is noise: the truth is 0 everywhere, and they are further from it than the straight line, by this "
                  "many times its squared distance", learnt > 2 * little, learnt / little, "> 2")  # fmt: skip
    dead = _dead(account, "noise")
    first = start()
    off = first[0][0] <= 0
    account.claim("All nodes whose kernel starts below 0 are dead from the first step on, since no x is negative and biases start at 0; "
                  "further ones die on the way", bool(np.all(dead[off])) and dead.sum() < NODES, f"{int(off.sum())} of {int(dead.sum())}",
                  f"all {int(off.sum())}")  # fmt: skip
    began = flattened(first)
    own = np.concatenate([off, off, off, [False]])
    account.same(
        "After 1,000 epochs their kernels, biases and the weights that lead on are what they were, bit for bit", w[own], began[own]
    )
    moved = np.any((w != began)[:-1].reshape(3, NODES)[:, ~off], axis=0)
    account.claim("Every other node has moved", np.all(moved), f"{int(moved.sum())} of {moved.size}", "all")
    fits = line("data", x, y, "points"), line("best straight line", x, straight, "dashed"), _fits(account, "noise", x)
    account.figure(
        figure(
            f"512 nodes on pure noise; {int(dead.sum())} are dead at the end",
            chart("Fit", Axis("x"), Axis("y", range=(-0.004, 0.004)), *fits),
            chart("Where nodes bend", Axis("x"), Axis("slope that the node adds"), *_bends(w, dead, 0.0)),
            NETWORK,
            steps=_steps(),
        )
    )


def _steps() -> list[str]:
    return [f"epoch {EVERY * i}" for i in range(EPOCHS // EVERY + 1)]


def _fits(account: Account, name: str, x: Floats) -> Series:
    return moving("512 nodes", x, [_layers(w, x)[1].sum(axis=1) + w[-1] for w in account[f"drawn {name} path"]])


def _bends(w: Floats, dead: Any, least: float) -> list[Series]:
    """Nodes that bend within the data, by where they do, and those that are dead, by where they would."""
    kinks, slopes = -w[NODES : 2 * NODES] / w[:NODES], np.abs(w[:NODES]) * w[2 * NODES : 3 * NODES]
    inside = ~dead & (kinks > least) & (kinks < 1)
    near = dead & (kinks > least - 0.5) & (kinks < 1.5)
    return [line("alive", kinks[inside], slopes[inside], "points"), line("dead", kinks[near], slopes[near], "points")]


ENTRY = Entry(
    "C18",
    "512 nodes: dead ones do no harm, and noise is fitted too",
    "004_78d1e29d7eb87949.txt",
    "With 512 relu nodes the bent line is fitted well, since others make up for nodes that are dead. But the same network fits what should "
    "not be fitted: noise of standard deviation 0.001.",
    "A 1-512-1 network from one start, Glorot uniform, trained for 1,000 epochs: on the bent line by SGD with step 0.1, on noise by SGD "
    "with step 0.5. Each result is held against the best straight line's, found by least squares.",
    {"keras": _by_name, "": _by_function},
    _judge,
    data=("bent", "noise"),
)
