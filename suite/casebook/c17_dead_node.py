"""C17: a network of two relu nodes, stuck since one of them is dead."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.training import Dense, Training, flattened, forward
from suite.casebook.base import Arrays, Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line, moving, network
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis, Panel

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

LAYERS = (Dense(2, "relu"), Dense(1))
STUCK = [np.array([[1.9579618, 0.46560898]]), np.array([0.34100613, -0.4658857]), np.array([[1.7770029], [-0.7268499]]),
         np.array([-0.60076195])]  # fmt: skip
"""The document's weights after 11,000 epochs from an unlucky start."""
FREE = [np.array([[0.98630846, 0.59210145]]), np.zeros(2), np.array([[0.52757335], [0.33660662]]), np.zeros(1)]
"""Its start that turns out well."""
DEAD = (1, 3, 5)
"""Where the second node's weights stand in a row of all: kernel, bias, and the weight that leads on from it."""
RATE, EPOCHS, EVERY = 0.1, 1000, 100
NAMES = ("W1", "b1", "W2", "b2")
REORDERED = 24
"""How many orders of the 100 points the effect of rounding is estimated from."""


def _by_name(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _measured(lab, data, lambda y, prediction: keras.losses.mean_squared_error(y, prediction), "mse")


def _by_function(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    ops = lab.ops
    return _measured(lab, data, lambda y, prediction: ops.mean(ops.square(prediction - y), -1), lambda y, p: ops.mean(ops.square(p - y)))


def _measured(lab: Lab, data: Arrays, of_rows: Any, loss: Any) -> Mapping[str, Any]:
    """``of_rows`` takes the mean of each row alone; the tape then sums over the rows."""
    x, y = data["bent.x"], data["bent.y"]

    def objective(*tensors: Any) -> Any:
        return of_rows(tensors[5], forward(lab.ops, LAYERS, tensors[:4], tensors[4]))

    found: dict[str, Any] = {}
    gradients = lab.gradients(objective, *STUCK, x, y, wrt=(0, 1, 2, 3), dtype="float64")
    found.update({f"d {name}": gradient for name, gradient in zip(NAMES, gradients, strict=True)})
    found["pre-activations"] = lab.values(lambda x, w, b: lab.ops.matmul(x, w) + b, x, *STUCK[:2], dtype="float64")
    runs = {"stuck": (STUCK, "float64"), "double": (FREE, "float64"), "single": (FREE, "float32")}
    for name, (start, dtype) in runs.items():
        done = lab.train(Training(LAYERS, loss, "sgd", RATE, EPOCHS, EVERY if name == "single" else EPOCHS, dtype), start, x, y)
        found |= {f"{name} weights": flattened(done.weights), f"{name} reported": done.reported, f"{name} predicted": done.predicted[:, 0]}
        found |= {"drawn path": done.path} if name == "single" else {}
    return found


def _judge(account: Account) -> None:
    _judge_gradient(account)
    _judge_stuck(account)
    _judge_free(account)
    for name in ("stuck", "double", "single"):
        _judge_reported(account, name)
    _draw(account)


def _judge_gradient(account: Account) -> None:
    """Of the sum of the squared errors: the mean is taken over the last axis, which has length 1, and the tape sums the rest."""
    rows = []
    for name in NAMES:
        got, shape = account[f"d {name}"], STUCK[NAMES.index(name)].shape
        account.printed(f"The gradient with respect to {name} at the document's weights in float64, to its last printed digit", f"d {name}",
                        got.reshape(shape))  # fmt: skip
        rows.append([name, ", ".join(account.golden(f"d {name}").printed), ", ".join(f"{v:.12g}" for v in got.ravel())])
    account.table("Gradient at the document's weights", ["weights", "document", "measured"], rows)
    dead = [account["d W1"][0, 1], account["d b1"][1], account["d W2"][1, 0]]
    account.same(
        "The second node's gradients are exactly 0: of its kernel, its bias, and the weight that leads on from it", dead, np.zeros(3)
    )
    x, u = _points()[0][:, None], FORMATS["float64"].u
    account.near("The pre-activations are w·x + b, but for the rounding of a product and a sum", account["pre-activations"],
                 x * STUCK[0] + STUCK[1], float(np.expm1(4 * u) * np.max(np.abs(x * STUCK[0]) + np.abs(STUCK[1]))))  # fmt: skip
    largest = float(account["pre-activations"][:, 1].max())
    account.claim("It is dead: its pre-activation is below 0 at every x, if barely so at the largest", largest < 0, largest, "< 0")
    account.claim("The first node is alive at some x and off at others", 0 < np.sum(account["pre-activations"][:, 0] > 0) < 100,
                  int(np.sum(account["pre-activations"][:, 0] > 0)), "1 to 99 of 100")  # fmt: skip


def _judge_stuck(account: Account) -> None:
    x, y, weights = *_points(), account["stuck weights"]
    start = flattened(STUCK)
    account.same("1,000 steps of SGD(0.1) in float64 leave the dead node's three weights as they are, bit for bit", weights[list(DEAD)],
                 start[list(DEAD)])  # fmt: skip
    live = x * weights[0] + weights[2] > 0
    design = np.stack([x * live, 1.0 * live, np.ones_like(x)], axis=1)
    solution, _, rank, singular = np.linalg.lstsq(design, y, rcond=None)
    best, ended = float(np.mean((design @ solution - y) ** 2)), _loss(weights)
    account.near("What is left to train is least squares in three features, x and 1 where the first node is on, and 1; descent has ended "
                 "at their minimum, but for the rounding of both losses", ended, best, _loss_error(weights))  # fmt: skip
    account.claim("That minimum is strict: the features' smallest singular value", rank == 3 and singular[-1] > 1, singular[-1], "> 1")
    free = _loss(account["double weights"])
    account.claim("It is a local minimum only: from the document's other start two nodes end with a loss at least a quarter below",
                  free < 0.75 * ended, free, f"< 0.75 · {ended:.6g}")  # fmt: skip


def _judge_free(account: Account) -> None:
    single, double, exact = account["single weights"], account["double weights"], _descended("float64", 1)[0]
    spread = float(np.sqrt(np.mean((_descended("float32", REORDERED) - exact) ** 2, axis=0)).max())
    because = (f"but for five standard deviations of what rounding does to such a path ({spread:.2g}, from {REORDERED} float32 runs by "
               "NumPy, the points in other orders)")  # fmt: skip
    account.printed(
        f"The document's weights after 1,000 epochs of its float32, from the float64 run, {because}", "weights", double, 5 * spread
    )
    account.near(f"The float32 run ends where the float64 run does, {because}", single, double, 5 * spread)
    finer = 5 * np.sqrt(2) * spread * FORMATS["float64"].u / FORMATS["float32"].u
    if account.backend.startswith("keras"):
        off = float(np.max(np.abs(double - exact)))
        account.limit("In Keras the float64 model is trained by float32 gradients: the loss 'mse' is made for floatx, whatever the model's "
                      "dtype (keras/src/losses/loss.py, __init__ and __call__); its weights are off by more than float64 explains",
                      finer < off <= spread, off, f"{finer:.2g} to {spread:.2g}")  # fmt: skip
    else:
        account.near("The float64 run ends where NumPy's does, but for five standard deviations of two such runs' difference in float64",
                     double, exact, finer)  # fmt: skip
    names = ("W1", "W1", "b1", "b1", "W2", "W2", "b2")
    printed = account.golden("weights").printed
    rows = [[n, p, f"{s:.9g}", f"{d:.9g}"] for n, p, s, d in zip(names, printed, single, double, strict=True)]
    account.table("Weights after 1,000 epochs from the start that turns out well", ["weights", "document", "float32", "float64"], rows)


def _judge_reported(account: Account, name: str) -> None:
    """The loss reported against that of the predictions, and the predictions against the weights."""
    (x, y), single = _points(), name == "single"
    weights, got, reported = account[f"{name} weights"], account[f"{name} predicted"], float(account[f"{name} reported"])
    rounded = account.backend.startswith("keras") and not single
    u = FORMATS["float32" if single or rounded else "float64"].u
    if single or rounded:
        x, y = x.astype(np.float32).astype(np.float64), y.astype(np.float32).astype(np.float64)
    what = {"stuck": "The stuck network", "double": "The other, in float64,", "single": "The other, in float32,"}[name]
    inner = FORMATS["float32" if single else "float64"].u
    if rounded:
        account.near(f"{what} predicts from x rounded to float32, as Keras rounds arrays whatever the model's dtype "
                     "(keras/src/trainers/data_adapters/array_slicing.py), but for the rounding of float64", got, _output(weights, x),
                     float(np.max(_output_error(weights, x, inner))), "limit")  # fmt: skip
    else:
        account.near(f"{what} predicts what its weights say but for the rounding of four products and four sums", got, _output(weights, x),
                     float(np.max(_output_error(weights, x, inner))))  # fmt: skip
    again = float(np.mean((got - y) ** 2))
    error = float(np.mean(2 * np.abs(got - y) * u * (np.abs(got) + np.abs(got - y)))) + (len(x) + 3) * u * again
    account.near(f"{what} reports the loss of its predictions, but for the rounding of the predictions, of 100 squares and their sum in "
                 f"{'float32' if single or rounded else 'float64'}", reported, again, error, "limit" if rounded else "claim")  # fmt: skip


def _points() -> tuple[Floats, Floats]:
    data = arrays("bent")
    return data["x"][:, 0], data["y"][:, 0]


def _output(w: Floats, x: Floats) -> Floats:
    """The network's output, of a row of all weights."""
    return np.asarray(np.maximum(x * w[0] + w[2], 0) * w[4] + np.maximum(x * w[1] + w[3], 0) * w[5] + w[6])


def _output_error(w: Floats, x: Floats, u: float) -> Floats:
    """Two nodes of a product, a sum and a product each, and two sums: no term passes more than five roundings."""
    terms = (np.abs(x * w[0]) + abs(w[2])) * abs(w[4]) + (np.abs(x * w[1]) + abs(w[3])) * abs(w[5]) + abs(w[6])
    return np.asarray(np.expm1(6 * u) * terms)


def _loss(w: Floats) -> float:
    x, y = _points()
    return float(np.mean((_output(w, x) - y) ** 2))


def _loss_error(w: Floats) -> float:
    """How far two losses in float64 may be off together, each from an output with that error, 100 squares and their sum."""
    (x, y), u = _points(), FORMATS["float64"].u
    off = np.abs(_output(w, x) - y)
    return 2 * float(np.mean(2 * off * (_output_error(w, x, u) + u * off)) + (len(x) + 2) * u * np.mean(off**2))


@cache
def _descended(dtype: str, runs: int) -> Floats:
    """Where plain NumPy ends from the start that turns out well: a row for each order of the points, the first as they are."""
    (x, y), random, kind = _points(), np.random.RandomState(0), np.dtype(dtype).type
    orders = [np.arange(100)] + [random.permutation(100) for _ in range(runs - 1)]
    xs, ys = (np.stack([a[order] for order in orders]).astype(dtype) for a in (x, y))
    w = np.tile(flattened(FREE).astype(dtype), (runs, 1))
    for _ in range(EPOCHS):
        u = xs[:, :, None] * w[:, None, 0:2] + w[:, None, 2:4]
        v = np.maximum(u, 0)
        slope = kind(2) * ((v * w[:, None, 4:6]).sum(axis=-1) + w[:, 6:] - ys) / kind(100)
        back = slope[:, :, None] * w[:, None, 4:6] * (u > 0)
        parts = (back * xs[:, :, None]).sum(axis=1), back.sum(axis=1), (v * slope[:, :, None]).sum(axis=1), slope.sum(axis=1)[:, None]
        w = w - kind(RATE) * np.concatenate(parts, axis=1)
    return np.asarray(w, dtype=np.float64)


def _draw(account: Account) -> None:
    x, y = _points()
    stuck, free = account["stuck weights"], account["double weights"]
    for w, caption in ((stuck, "Stuck: the second node is 0 at every x and has no part in the fit"), (free, "Two nodes at work")):
        account.figure(figure(caption, *_stages(w, x, y), network("Network", [("input", ["x"]), ("relu", ["node 1", "node 2"]),
                                                                              ("linear", ["ŷ"])])))  # fmt: skip
    fits = [_output(w, x) for w in account["drawn path"]]
    steps = [f"epoch {EVERY * i}" for i in range(len(fits))]
    account.figure(figure("Descent from the start that turns out well, in float32",
                          chart("Fit", Axis("x"), Axis("y"), line("data", x, y, "points"), moving("fit", x, fits)),
                          steps=steps))  # fmt: skip


def _stages(w: Floats, x: Floats, y: Floats) -> list[Panel]:
    """The document's four drawings: lines, nodes, contributions, fit."""
    lines = [x * w[i] + w[2 + i] for i in range(2)]
    nodes = [np.maximum(u, 0) for u in lines]
    parts = [nodes[0] * w[4], nodes[1] * w[5] + w[6]]
    named = {"Lines w·x + b": lines, "Nodes relu(w·x + b)": nodes, "Contributions, b2 with the second": parts, "Fit": [parts[0] + parts[1]]}
    points = line("data", x, y, "points")
    return [chart(title, Axis("x"), Axis("y"), points, *(line(f"node {i + 1}" if len(drawn) > 1 else "sum", x, each)
                                                         for i, each in enumerate(drawn))) for title, drawn in named.items()]  # fmt: skip


ENTRY = Entry(
    "C17",
    "Two relu nodes, one of them dead",
    "004_78d1e29d7eb87949.txt",
    "A network of two relu nodes can fit the bent line, but from an unlucky start one node ends dead and the other as good as it can be "
    "alone: a local minimum, at which the gradient is all but 0, and no number of epochs leads out of it.",
    "The gradient of the squared error at the document's weights in float64, descent from there, and descent from its start that turns "
    "out well in float32 and float64.",
    {"keras": _by_name, "": _by_function},
    _judge,
    data=("bent",),
    x64=True,
)
