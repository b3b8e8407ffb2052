"""C14: a classifier with an input and an output for each class."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited, fit, sequential
from suite.backends.training import Dense, Training, forward
from suite.casebook.base import Arrays, Entry
from suite.floats import Floats
from suite.lab import Lab

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

SIZES = (16, 32, 32)
FEW = 10
"""How many examples of class 0 stand against the 50 of class 1 where they are unbalanced."""
RATE = 0.125
LARGE = 16
"""What the last layer's weights are multiplied by for logits beyond the clip."""
BATCH = 32
"""The size of a batch in ``evaluate``, unless it is told otherwise."""
NAMES = tuple(f"{what} {layer}" for layer in range(1, 5) for what in ("kernel", "bias"))


@cache
def made() -> list[Floats]:
    """Kernels and biases in turn, as float32 has them."""
    random = np.random.RandomState(2)
    widths = (2, *SIZES, 1)
    found = []
    for inputs, units in zip(widths, widths[1:], strict=False):
        found += [random.normal(scale=np.sqrt(2 / inputs), size=(inputs, units)), random.normal(scale=0.1, size=units)]
    return [w.astype(np.float32).astype(np.float64) for w in found]


def large() -> list[Floats]:
    """The same with a larger last layer."""
    return [*made()[:-2], *(LARGE * w for w in made()[-2:])]


def sorted_by_class(data: Arrays) -> tuple[Floats, Floats, Floats]:
    """The examples as float32 has them, and those of class 1 and of class 0."""
    x, y = data["blobs.x"].astype(np.float32).astype(np.float64), data["blobs.y"]
    return x, x[y == 1], x[y == 0]


# Experiments


def _functions(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The mean over all examples, and a mean for each class, of the framework's own loss of logits."""
    ops, binary = lab.ops, lab.function("binary_cross_entropy_with_logits")
    layers = (*(Dense(units, "relu") for units in SIZES), Dense(1))

    def usual(x: Any, y: Any, *weights: Any) -> Any:
        return ops.mean(binary(forward(ops, layers, weights, x), y))

    def both(positive: Any, negative: Any, ones: Any, zeros: Any, share: Any, *weights: Any) -> Any:
        """Weighted by twice the share and twice its complement, so that ½ is the plain sum."""
        return 2 * (share * usual(positive, ones, *weights) + (1 - share) * usual(negative, zeros, *weights))

    x, positive, negative = sorted_by_class(data)
    y, few = data["blobs.y"][:, None].astype(np.float64), negative[:FEW]
    ones, zeros = np.ones((len(positive), 1)), np.zeros((len(negative), 1))
    half, share = np.array(0.5), np.float32(len(positive) / (len(positive) + FEW))
    given: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "usual": (usual, (x, y)),
        "positive": (usual, (positive, ones)),
        "negative": (usual, (negative, zeros)),
        "sum": (both, (positive, negative, ones, zeros, half)),
        "unbalanced usual": (usual, (np.concatenate([positive, few]), np.concatenate([ones, zeros[:FEW]]))),
        "unbalanced sum": (both, (positive, few, ones, zeros[:FEW], half)),
        "weighted sum": (both, (positive, few, ones, zeros[:FEW], np.asarray(share))),
    }
    found = {name: lab.values(function, *arrays, *made()) for name, (function, arrays) in given.items()}
    for name in ("usual", "sum"):
        function, arrays = given[name]
        places = range(len(arrays), len(arrays) + len(made()))
        found |= _named(f"{name} gradient", lab.gradients(function, *arrays, *made(), wrt=places))
    count = len(positive)

    def split(labels: Any, z: Any) -> Any:
        return ops.mean(binary(z[:count], labels[:count])) + ops.mean(binary(z[count:], labels[count:]))

    task = (np.concatenate([positive, negative]), np.concatenate([ones, zeros]))
    for name, loss, rate in (("usual", lambda labels, z: ops.mean(binary(z, labels)), 2 * RATE), ("sum", split, RATE)):
        found |= _named(f"{name} step", lab.train(Training(layers, loss, "sgd", rate, 1, 1), made(), *task).weights)
    return found


def _keras(_lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The document's two models on one classifier, and variants of the second."""
    x, positive, negative = sorted_by_class(data)
    y = data["blobs.y"].astype(np.float64)
    pair, targets = [positive, negative], [np.ones(len(positive)), np.zeros(len(negative))]
    classifier = sequential((*(Dense(units, "relu") for units in SIZES), Dense(1, "sigmoid")), 2, made())
    classifier.compile(optimizer=keras.optimizers.SGD(2 * RATE), loss="binary_crossentropy")
    both, named = _wired(classifier, False), _wired(classifier, True)
    found: dict[str, Any] = {}
    models = {"usual": (classifier, x, y), "sum": (both, pair, targets), "named": (named, pair, targets)}
    for name, (model, given, labels) in models.items():
        found |= {f"{name}: {what}": array for name_, array in audited(model, given, labels).items() for what in (name_,)}
        found[f"{name}: in batches"] = model.evaluate(given, labels, batch_size=BATCH, verbose=0)
        classifier.set_weights(large())
        found |= {f"{name}, large: {what}": array for what, array in audited(model, given, labels).items()}
        classifier.set_weights(made())
    for name, (model, given, labels) in {"usual": models["usual"], "sum": (both, tuple(pair), tuple(targets))}.items():
        fit(model, given, labels, 1)
        found |= _named(f"{name} step", classifier.get_weights())
        classifier.set_weights(made())
    return found | _unbalanced(classifier, both, positive, negative[:FEW])


def _wired(classifier: Any, named: bool, weights: Any = None) -> Any:
    """Two inputs and two outputs of one classifier; with names of their own, if wanted, from layers that pass on what they are given."""
    given = [keras.Input((2,)), keras.Input((2,))]
    outputs = [classifier(each) for each in given]
    if named:
        outputs = [keras.layers.Identity(name=name)(output) for name, output in zip(("positive", "negative"), outputs, strict=True)]
    model = keras.Model(given, outputs)
    losses = ["binary_crossentropy"] * 2
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=losses if weights else losses[0], loss_weights=weights)
    return model


def _unbalanced(classifier: Any, both: Any, positive: Floats, few: Floats) -> dict[str, Any]:
    """Fifty against ten; ``evaluate`` wants as many for each input, a single batch may be given as it is."""
    pair, targets = [positive, few], [np.ones(len(positive)), np.zeros(FEW)]
    share = len(positive) / (len(positive) + FEW)
    whole = audited(classifier, np.concatenate(pair), np.concatenate(targets))
    found = {f"unbalanced usual: {what}": array for what, array in whole.items()}
    weighted = _wired(classifier, False, [share, 1 - share])
    for name, model in (("unbalanced sum", both), ("weighted sum", weighted)):
        found[f"{name}: reported"] = np.atleast_1d(model.test_on_batch(pair, targets))[:1]
    try:
        both.evaluate(pair, targets, verbose=0)
    except ValueError as error:
        found["refused"] = np.array(float("cardinality" in str(error)))
    return found


def _named(what: str, arrays: Any) -> dict[str, Any]:
    return {f"{what}: {name}": array for name, array in zip(NAMES, arrays, strict=True)}


def _judge(account: Account) -> None:
    pass


ENTRY = Entry(
    "C14", "t", "000_ba17eccff0352fe8.txt", "c", "m", {"keras": _keras, "": _functions}, _judge, data=("blobs",),
)
