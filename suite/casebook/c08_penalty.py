"""C8: a penalty on what a layer in the middle puts out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited, fit
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.casebook.dyadic import EXAMPLES, HIDDEN, Balanced
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")
jax = lazy("jax")
tf = lazy("tensorflow")

CLASSES = 4
"""A power of two, so that equal logits have probabilities that are exact."""
PENALTY = 1 / 16
RATE = 0.5
STEPS = 40
U = FORMATS["float32"].u
NAMES = ("kernel 1", "bias 1", "kernel 2", "bias 2")
PLACES = {"general": "At general inputs", "level": "Where all logits are 0"}
WAYS = {
    "none": "no penalty",
    "activity": "activity_regularizer=L2(1/16)",
    "added mean": "add_loss, divided by the batch's size",
    "added sum": "add_loss, as in the answer",
    "output": "a second output with a loss of its own",
}


@cache
def made() -> tuple[Balanced, Floats]:
    """The network, and one-hot labels."""
    return Balanced.draw(11, CLASSES), np.eye(CLASSES)[np.random.RandomState(12).randint(0, CLASSES, size=EXAMPLES)]


# Experiments


def _tensorflow(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def two(x: Any, y: Any, *weights: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = _two_losses(lab, x, y, *weights)
        return tape.gradient(losses, weights)  # type: ignore[no-any-return]  # of the sum of the targets

    return _functions(lab, two)


def _jax(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def two(x: Any, y: Any, *weights: Any) -> list[Any]:
        losses, pull = jax.vjp(lambda *w: _two_losses(lab, x, y, *w), *weights)
        return pull(tuple(jax.numpy.ones_like(loss) for loss in losses))  # type: ignore[no-any-return]  # the same

    return _functions(lab, two)


def _two_losses(lab: Lab, x: Any, y: Any, *w: Any) -> tuple[Any, Any]:
    """Cross-entropy from the last layer's output, and the penalty from the hidden layer's."""
    ops, loss = lab.ops, lab.function("softmax_cross_entropy_with_logits")
    hidden = ops.relu(ops.matmul(x, w[0]) + w[1])
    return ops.mean(loss(ops.matmul(hidden, w[2]) + w[3], y)), PENALTY * ops.sum(ops.square(hidden)) / EXAMPLES


def _functions(lab: Lab, two: Any) -> Mapping[str, Any]:
    """One loss; two outputs with a loss each, differentiated together; and each alone."""
    net, y = made()
    found: dict[str, Any] = {}
    ways = {
        "one loss": lambda *a: sum(_two_losses(lab, *a)), "cross-entropy": lambda *a: _two_losses(lab, *a)[0],
        "penalty": lambda *a: _two_losses(lab, *a)[1],
    }  # fmt: skip
    for name, function in ways.items():
        for place, x in (("general", net.x), ("level", net.level)):
            found[f"{name}: {place} loss"] = lab.values(function, x, y, *net.weights)
        found |= _named(name, lab.gradients(function, net.level, y, *net.weights, wrt=range(2, 6)))
    tensors = [lab.backend.tensor(np.asarray(a), "float32") for a in (net.level, y, *net.weights)]
    found |= _named("two outputs", [lab.backend.array(g) for g in lab.backend.compile(two, lab.mode)(*tensors)])
    return found


def _keras(_lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """Evaluated at general inputs and at level ones, one step there; then trained on the general ones."""
    net, y = made()
    found: dict[str, Any] = {}
    for way in WAYS:
        model = _model(way)
        targets = [y, np.zeros((EXAMPLES, HIDDEN))] if way == "output" else y
        whole = audited(model, net.x, targets)
        found |= {f"{way}: {name}": array for name, array in whole.items()}
        found[f"{way}: level"] = audited(model, net.level, targets)["reported"]
        given = tuple(targets) if way == "output" else y
        fit(model, net.level, given, 1)
        found |= _named(way, model.get_weights())
        model.set_weights(list(net.weights))
        fit(model, net.x, given, STEPS)
        kernel, bias = model.get_weights()[:2]
        found[f"{way}: after training"] = np.mean(np.maximum(net.x @ kernel + bias, 0) ** 2, axis=0)
    return {**found, "widths": _widths()}


def _model(way: str) -> Any:
    given = keras.Input((5,))
    regularizer = keras.regularizers.L2(PENALTY) if way == "activity" else None
    hidden = keras.layers.Dense(HIDDEN, activation="relu", activity_regularizer=regularizer)(given)
    through = _adding(way == "added mean")(hidden) if way.startswith("added") else hidden
    output = keras.layers.Dense(CLASSES, activation="softmax")(through)
    model = keras.Model(given, [output, hidden] if way == "output" else output)
    model.set_weights(list(made()[0].weights))
    losses = ["categorical_crossentropy", _squares]
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=losses if way == "output" else losses[0])
    return model


def _squares(_y: Any, hidden: Any) -> Any:
    """A penalty for each example."""
    return PENALTY * keras.ops.sum(keras.ops.square(hidden), axis=-1)


def _adding(mean: bool) -> Any:
    """The answer's layer, which passes on what it is given."""
    base: Any = keras.layers.Layer

    class Adding(base):  # type: ignore[misc]  # Keras is Any to the type checker, and imported only here
        def call(self, inputs: Any) -> Any:
            each = PENALTY * keras.ops.sum(keras.ops.square(inputs), axis=-1)
            self.add_loss(keras.ops.mean(each) if mean else keras.ops.sum(each))
            return inputs

    return Adding()


def _widths() -> Any:
    """What a compiled model reports where its loss, one for both outputs, is the width of what it is given."""
    net, y = made()

    def width(_y: Any, outputs: Any) -> Any:
        return 0.0 * keras.ops.sum(outputs, axis=-1) + outputs.shape[-1]

    model = _model("output")
    model.compile(optimizer="sgd", loss=width)
    return audited(model, net.x, [y, np.zeros((EXAMPLES, HIDDEN))])["reported"]


def _named(what: str, arrays: Any) -> dict[str, Any]:
    return {f"{what}: {name}": array for name, array in zip(NAMES, arrays, strict=True)}


# Judgement


def _judge(account: Account) -> None:
    net, y = made()
    by_loss = net.gradient(net.level, (1 / CLASSES - y) / EXAMPLES)
    by_penalty = net.gradient(net.level, np.zeros_like(y), 2 * PENALTY / EXAMPLES * net.hidden(net.level))
    if "widths" in account.measured:
        _of_models(account, by_loss, by_penalty)
    else:
        _of_functions(account, by_loss, by_penalty)
    _drawn(account, by_loss[0], by_penalty[0])


def _inputs(place: str) -> Floats:
    return made()[0].x if place == "general" else made()[0].level


def _size(place: str) -> float:
    """The penalty, averaged over the batch: a multiple of 2^-19, which float32 holds."""
    return PENALTY * float(np.sum(made()[0].hidden(_inputs(place)) ** 2)) / EXAMPLES


def _cross_entropy(account: Account, place: str) -> tuple[float, float]:
    """The exact mean, and what it may be off by."""
    from suite.casebook.backward import mean
    from suite.casebook.losses import categorical_losses

    whole = mean(categorical_losses(account, made()[0].logits(_inputs(place)), made()[1]))
    return float(whole.value), float(whole.error)


def _of_functions(account: Account, by_loss: list[Floats], by_penalty: list[Floats]) -> None:
    for place in ("general", "level"):
        size, (wanted, error) = _size(place), _cross_entropy(account, place)
        account.same(f"{PLACES[place]} the penalty is the exact one bit for bit", account[f"penalty: {place} loss"], size)
        account.near(f"{PLACES[place]} the cross-entropy is the exact mean within its bound",
                     account[f"cross-entropy: {place} loss"], wanted, error)  # fmt: skip
        account.near(f"{PLACES[place]} one loss of both terms is their sum, but for that bound and a rounding",
                     account[f"one loss: {place} loss"], wanted + size, error + U * (wanted + size + error))  # fmt: skip
    sums = [a + b for a, b in zip(by_loss, by_penalty, strict=True)]
    texts = {
        "cross-entropy": (by_loss, "the gradient of the cross-entropy alone is exact"),
        "penalty": (by_penalty, "that of the penalty alone is exact"),
        "one loss": (sums, "the gradient of one loss of both terms is the sum of the two"),
        "two outputs": (sums, "the gradient of a function with two outputs, a loss on each, is that sum too"),
    }
    for way, (gradients, text) in texts.items():
        account.same(f"{PLACES['level']} {text}: by all four weights, bit for bit", _all(account, way), _flat(gradients))


def _of_models(account: Account, by_loss: list[Floats], by_penalty: list[Floats]) -> None:
    from suite.casebook.audit import categorical

    net, y = made()
    for way, name in WAYS.items():
        factor = {"none": 0, "added sum": EXAMPLES}.get(way, 1)
        role: Literal["claim", "limit"] = "limit" if way == "added sum" else "claim"
        times = f": {EXAMPLES} times that of the others, for it adds up the batch, which they average" if way == "added sum" else ""
        recomputed = categorical(y, account[f"{way}: predicted"], account.rounding())
        whole = recomputed.loss + factor * _size("general")
        account.near(f"With {name} the loss reported is the cross-entropy of the predictions plus {factor * _size('general'):.6g}{times}",
                     account[f"{way}: reported"][0], whole, recomputed.allowed + 2 * U * whole, role)  # fmt: skip
        wanted, error = _cross_entropy(account, "level")
        whole = wanted + factor * _size("level")
        account.near(f"{PLACES['level']} it reports, with {name}, log 4 plus {factor * _size('level'):.6g}{times}",
                     account[f"{way}: level"][0], whole, error + 2 * U * whole, role)  # fmt: skip
        step = [w - RATE * (a + factor * b) for w, a, b in zip(net.weights, by_loss, by_penalty, strict=True)]
        account.same(f"A step of SGD from there, with {name}, gives the exact weights bit for bit{times}",
                     _all(account, way), _flat(step), role)  # fmt: skip
    _of_outputs(account)
    _trained(account)


def _trained(account: Account) -> None:
    left = {way: float(np.mean(account[f"{way}: after training"])) for way in WAYS}
    three = [left[way] for way in ("activity", "added mean", "output")]
    account.claim(f"{STEPS} steps with either of the three leave less than a quarter of the hidden layer's mean square",
                  all(size < left["none"] / 4 for size in three), three, f"< {left['none'] / 4:.6g}")  # fmt: skip
    account.limit("With the sum over the batch, which activity_regularizer divides by the batch's size (layer.py), they leave less still",
                  left["added sum"] < min(three), left["added sum"], f"< {min(three):.6g}")  # fmt: skip
    rows = [(name, account[f"{way}: reported"][0], account[f"{way}: level"][0], left[way]) for way, name in WAYS.items()]
    account.table(f"The penalty, {PENALTY:g} of the squares' sum, in each way", ("way", "loss", "loss where all logits are 0",
                  f"hidden layer's mean square after {STEPS} steps"), rows)  # fmt: skip


def _of_outputs(account: Account) -> None:
    """What the model with a second output reports and predicts; and what a loss for both outputs would be given."""
    from suite.casebook.audit import audit, categorical

    net, y = made()
    reported, level = account["output: reported"], account["output: level"]
    first = categorical(y, account["output: predicted"], account.rounding())
    audit(account, "the model with two outputs for the first of them", reported[1], first)
    account.same("Its second output is the hidden layer's, exact", account["output: predicted 1"], net.hidden(net.x))
    account.same("The losses that it reports for it are the exact penalties", [reported[2], level[2]], [_size("general"), _size("level")])
    account.near("The first output's, where all logits are 0, is log 4 within its bound", level[1], *_cross_entropy(account, "level"))
    account.same("A loss that is to be for both outputs is called for each alone, as the widths of what it is given show (CompileLoss in "
                 "compile_utils.py): one that unpacks both, as another answer has it, cannot work", account["widths"],
                 [CLASSES + HIDDEN, CLASSES, HIDDEN], "limit")  # fmt: skip


def _flat(arrays: Any) -> Floats:
    return np.concatenate([np.asarray(a, dtype=np.float64).ravel() for a in arrays])


def _all(account: Account, way: str) -> Floats:
    return _flat([account[f"{way}: {name}"] for name in NAMES])


def _drawn(account: Account, by_loss: Floats, by_penalty: Floats) -> None:
    keras_on = "widths" in account.measured
    found = (made()[0].weights[0] - account["activity: kernel 1"]) / RATE if keras_on else account["two outputs: kernel 1"]
    order, weight = np.arange(found.size), Axis("weight of the hidden layer's kernel")
    panels = [
        chart("Gradient where all logits are 0", weight, Axis("gradient"), line("cross-entropy alone", order, by_loss, "dashed"),
              line("penalty alone", order, by_penalty, "dashed"), line("exact sum", order, by_loss + by_penalty),
              line(WAYS["activity"] if keras_on else "two outputs", order, found, "points")),
    ]  # fmt: skip
    if keras_on:
        units = np.arange(1, HIDDEN + 1)
        marks = [line(name, units, account[f"{way}: after training"], "marked") for way, name in WAYS.items()]
        panels.append(chart(f"After {STEPS} steps", Axis("hidden unit"), Axis("mean square of its output"), *marks))
    layers = [("input", ["x₁", "…", "x₅"]), ("relu, penalised", ["h₁", "…", "h₈"]), ("softmax", ["p₁", "p₂", "p₃", "p₄"])]
    panels.append(network("Network", layers))
    account.figure(figure("A penalty on the hidden layer's output adds its own gradient, whichever way it is given", *panels))


ENTRY = Entry(
    "C8",
    "A penalty on a layer in the middle",
    "002_fd96f1392fe2ebc9.txt",
    "The squared output of a hidden layer can be penalised with activity_regularizer, with add_loss in a layer of one's own, or with a "
    "second output that has a loss of its own: three ways to the same loss and gradient.",
    "A relu network whose logits are exact, and all 0 at chosen inputs, so that a whole step of SGD from there is exact in float32: loss "
    "and weights of each way against exact arithmetic. Without Keras, one loss against a function with two outputs.",
    {"keras": _keras, "tensorflow": _tensorflow, "jax": _jax},
    _judge,
)
