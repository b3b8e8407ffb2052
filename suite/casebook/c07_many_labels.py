"""C7: two hundred labels at once, in one head or in many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited, fit
from suite.backends.training import Dense, Training
from suite.casebook.base import Arrays, Entry
from suite.casebook.dyadic import EXAMPLES, HIDDEN, eighths
from suite.floats import Floats
from suite.lab import Lab

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

LABELS, FEATURES = 200, 6
GROUPS = 4
"""Heads of a compiled Keras model: 200 outputs of their own would take it a quarter of a minute to trace."""
RATE = 25.0
MOVED, BY = 17, 2.0
"""The label whose logit, or whose target, is changed, and by how much."""
CERTAIN = 20.0
"""A logit at which every probability lies beyond Keras' clip."""
STEPS, PACE = 60, 4.0
"""How long the logits themselves are trained, and how far a step takes one for a unit of its gradient."""
NAMES = ("kernel 1", "bias 1", "kernel 2", "bias 2")


def made() -> tuple[list[Floats], Floats, Floats]:
    """The weights, the inputs and the labels, which are percentages as in the question: 0, 1/8, … 1."""
    random = np.random.RandomState(7)
    shapes = ((FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, LABELS), (LABELS,))
    weights = [eighths(random, *shape, largest=size) for shape, size in zip(shapes, (1.0, 1.0, 0.5, 1.0), strict=True)]
    return weights, eighths(random, EXAMPLES, FEATURES), random.randint(0, 9, size=(EXAMPLES, LABELS)) / 8


def free_logits() -> tuple[Floats, Floats, Floats]:
    """Logits for the test of coupling; the same with one label's moved; labels with one label's target moved."""
    logits, labels = eighths(np.random.RandomState(8), EXAMPLES, LABELS, largest=2.0), made()[2]
    here = np.arange(LABELS) == MOVED
    return logits, logits + BY * here, np.where(here, 1.0 - labels, labels)


def certain() -> list[Floats]:
    """Weights that make every logit ±20, whatever the input."""
    (kernel, bias, last, _), _, _ = made()
    return [kernel * 0, bias * 0, last * 0, CERTAIN * np.where(np.arange(LABELS) % 3 == 0, 1.0, -1.0)]


# Experiments

Loss = Callable[[Any, Any], Any]


def _functions(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """From logits, by the framework's own functions: optax's or TensorFlow's."""
    ops, binary = lab.ops, lab.function("binary_cross_entropy_with_logits")

    def loss(y: Any, z: Any) -> Any:
        return ops.mean(binary(z, y))

    def split(y: Any, z: Any) -> Any:
        return sum(loss(y[:, part], z[:, part]) for part in parts(GROUPS)) / GROUPS

    found = _measured(lab, loss, lambda z: z)
    weights, x, y = made()
    for name, each in (("single", loss), ("split", split)):
        done = lab.train(Training((Dense(HIDDEN, "relu"), Dense(LABELS)), each, "sgd", RATE, 1, 1), weights, x, y)
        found |= _named(f"{name} after a step", done.weights)
    several = lab.function("softmax_cross_entropy_with_logits")
    found |= _coupling(lab, binary, several)
    for name, each in (("sigmoid", loss), ("softmax", lambda y, z: ops.mean(several(z, y)))):
        done = _trained(lab, "linear", each, name)
        predicted = lab.values(getattr(ops, name), done.predicted)
        found |= {f"trained with {name}": predicted, f"reported with {name}": done.reported}
    return found


def _keras(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """From probabilities, as its users have it; compiled and fitted, in one head and in four."""
    loss = keras.losses.BinaryCrossentropy()
    found = _measured(lab, loss, keras.activations.sigmoid)
    found |= _compiled("single", 1) | _compiled("split", GROUPS)
    found |= _coupling(
        lab,
        lambda z, y: keras.ops.binary_crossentropy(y, keras.activations.sigmoid(z)),
        lambda z, y: keras.losses.categorical_crossentropy(y, keras.activations.softmax(z)),
    )
    for name, each in (("sigmoid", "binary_crossentropy"), ("softmax", "categorical_crossentropy")):
        done = _trained(lab, name, each, name)
        found |= {f"trained with {name}": done.predicted, f"reported with {name}": done.reported}
    return found


def _measured(lab: Lab, loss: Loss, output: Callable[[Any], Any]) -> dict[str, Any]:
    """Loss and gradients of all labels in one head, and of 200 heads one after the other; what the network predicts."""
    backend, ops = lab.backend, lab.ops
    weights, x, y = made()

    def logits(x: Any, *w: Any) -> Any:
        return ops.matmul(ops.relu(ops.matmul(x, w[0]) + w[1]), w[2]) + w[3]

    def head(x: Any, y: Any, *w: Any) -> Any:
        return loss(y, output(logits(x, *w)))

    compiled = backend.compile(backend.pullback(head, range(2, 6)), lab.mode)

    def run(part: slice) -> tuple[float, list[Floats]]:
        arrays = (x, y[:, part], *weights[:2], weights[2][:, part], weights[3][part], np.ones(()))
        value, gradients = compiled(*(backend.tensor(np.asarray(a), "float32") for a in arrays))
        return float(backend.array(value)), [np.asarray(backend.array(g), dtype=np.float64) for g in gradients]

    value, gradients = run(slice(None))
    heads = [run(part) for part in parts(LABELS)]
    inner = [np.mean([head[1][i] for head in heads], axis=0) for i in (0, 1)]
    outer = [np.concatenate([head[1][i] for head in heads], axis=-1) / LABELS for i in (2, 3)]
    return {
        "predicted": lab.values(lambda x, *w: ops.sigmoid(logits(x, *w)), x, *weights), "single loss": value,
        "losses of heads": [head[0] for head in heads], **_named("single gradient", gradients),
        **_named("heads' mean gradient", inner + outer),
    }  # fmt: skip


def _trained(lab: Lab, activation: str, loss: Any, name: str) -> Any:
    """The logits themselves trained, a row for each example, from 0."""
    task = Training((Dense(LABELS, activation, bias=False),), loss, "sgd", _rate(name), STEPS, STEPS)
    return lab.train(task, [np.zeros((EXAMPLES, LABELS))], np.eye(EXAMPLES), made()[2])


def _coupling(lab: Lab, binary: Loss, several: Loss) -> dict[str, Any]:
    """Gradients by the logits; after one logit has moved; after one label has."""
    backend = lab.backend
    logits, moved, labels = free_logits()
    found = {}
    for name, function, shape in (("binary", binary, logits.shape), ("categorical", several, logits.shape[:1])):
        compiled = backend.compile(backend.pullback(function, [0]), lab.mode)
        for change, z, y in (("", logits, made()[2]), (", logit moved", moved, made()[2]), (", label moved", logits, labels)):
            found[name + change] = backend.array(compiled(*(backend.tensor(a, "float32") for a in (z, y, np.ones(shape))))[1][0])
    return found


def _compiled(name: str, groups: int) -> dict[str, Any]:
    """A Keras model with so many heads, cut out of one layer; its losses, and its weights after one step of SGD.

    Keras adds the heads' losses up, so that the step is taken with a rate so much smaller.
    """
    weights, x, y = made()
    each = parts(groups)
    given = keras.Input((FEATURES,))
    output = keras.layers.Dense(LABELS, activation="sigmoid")(keras.layers.Dense(HIDDEN, activation="relu")(given))
    heads = [keras.layers.Lambda(lambda t, part=part: t[..., part])(output) for part in each]
    model = keras.Model(given, output if groups == 1 else heads)
    model.compile(
        optimizer=keras.optimizers.SGD(RATE / groups), loss="binary_crossentropy" if groups == 1 else ["binary_crossentropy"] * groups
    )
    targets = y if groups == 1 else [y[:, part] for part in each]
    model.set_weights(certain())
    sure = audited(model, x, targets)
    model.set_weights(weights)
    found = audited(model, x, targets)
    fit(model, x, y if groups == 1 else tuple(targets), 1)
    predicted = np.concatenate([found[f"predicted {k}" if k else "predicted"] for k in range(groups)], axis=1)
    return {
        f"{name} compiled": found["reported"], f"{name} compiled predicted": predicted, f"{name} certain": sure["reported"][0],
        **_named(f"{name} after a step", model.get_weights()),
    }  # fmt: skip


def _named(what: str, arrays: Any) -> dict[str, Any]:
    return {f"{what}: {name}": array for name, array in zip(NAMES, arrays, strict=True)}


def parts(groups: int) -> list[slice]:
    """The labels of each of so many heads."""
    width = LABELS // groups
    return [slice(k * width, (k + 1) * width) for k in range(groups)]


def _rate(name: str) -> float:
    """The mean over everything, or over the rows, taken back: a logit moves by PACE or by 1 for a unit of its own gradient."""
    return EXAMPLES * LABELS * PACE if name == "sigmoid" else float(EXAMPLES)


def _judge(account: Account) -> None:
    from suite.casebook.many_labels import judge

    judge(account)


ENTRY = Entry(
    "C7",
    "Two hundred labels that do not exclude each other",
    "002_fd96f1392fe2ebc9.txt",
    "For 200 independent percentages one dense layer of 200 sigmoid units under binary cross-entropy is right. To split it into heads with "
    "a loss each changes nothing, and softmax under categorical cross-entropy is wrong.",
    "A network whose logits are exact in float32: its loss, gradient and one step of SGD in one head and in many. Gradients before and "
    "after one logit, or one label, has moved. Both kinds of output trained on the same percentages.",
    {"keras": _keras, "": _functions},
    _judge,
)
