"""C11: sequences of different lengths, padded and masked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited, fit
from suite.casebook.base import Arrays, Entry
from suite.casebook.dyadic import eighths
from suite.floats import Floats
from suite.lab import Lab

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

SEQUENCES, STEPS, FEATURES, CLASSES = 16, 4, 4, 4
HALF = 8
"""The size of a batch in which the sequences are evaluated in two parts, the longer ones first."""
LARGE = 32
"""What weights are multiplied by to make logits of up to 100."""
WIDE = 64
UNITS = 3


@cache
def made() -> tuple[Floats, Floats]:
    """Kernel and bias of the layer that is applied to each step."""
    random = np.random.RandomState(31)
    return eighths(random, FEATURES, CLASSES), eighths(random, CLASSES)


@cache
def wide() -> tuple[Floats, Floats, Floats]:
    """Inputs, kernel and bias that float32 does not compute with exactly, as they are there."""
    random = np.random.RandomState(32)
    shapes = ((SEQUENCES, STEPS, WIDE), (WIDE, CLASSES), (CLASSES,))
    found = [random.normal(size=shape).astype(np.float32).astype(np.float64) for shape in shapes]
    return found[0], found[1], found[2]


@cache
def recurrent() -> tuple[Floats, Floats, Floats]:
    """Kernel, recurrent kernel and bias of a recurrent layer of relu units; with entries of 0 and ±½ four steps are exact."""
    random = np.random.RandomState(33)
    return eighths(random, FEATURES, UNITS), random.randint(-1, 2, size=(UNITS, UNITS)) / 2, eighths(random, UNITS)


@cache
def rows() -> Floats:
    """An embedding of six tokens, the first of which is the padding."""
    return eighths(np.random.RandomState(34), 6, FEATURES)


def one_hot(data: Arrays, padding: float | None = None) -> Floats:
    """Labels ``(sequences, steps, classes)``; in masked steps they say class 0, or each entry is ``padding``."""
    labels = np.eye(CLASSES)[data["sequences.y"]]
    return labels if padding is None else np.where(data["sequences.valid"][..., None], labels, padding)


def alone(data: Arrays) -> tuple[Floats, Floats]:
    """Features and labels of the valid steps, one after the other, and nothing else."""
    valid = data["sequences.valid"]
    return data["sequences.x"][valid], one_hot(data)[valid]


# Experiments


def _functions(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The framework's own mean over what a mask leaves, of its own cross-entropy."""
    ops, loss, average = lab.ops, lab.function("softmax_cross_entropy_with_logits"), lab.function("masked_mean")
    valid, (kernel, bias) = data["sequences.valid"], made()
    count = valid.size

    def logits(x: Any, kernel: Any, bias: Any) -> Any:
        return ops.matmul(x, kernel) + bias

    def masked(x: Any, y: Any, mask: Any, kernel: Any, bias: Any) -> Any:
        return average(ops.reshape(loss(logits(x, kernel, bias), y), (1, count)), ops.reshape(mask, (1, count)))[0]

    def plain(x: Any, y: Any, kernel: Any, bias: Any) -> Any:
        return ops.mean(loss(logits(x, kernel, bias), y))

    x, y = data["sequences.x"], one_hot(data)
    given = {"masked": (x, y), "other labels": (x, one_hot(data, 7.0)), "no labels": (x, one_hot(data, np.nan))}
    found: dict[str, Any] = {}
    for name, pair in given.items():
        own = [lab.values(masked, *pair, valid, kernel, bias), *lab.gradients(masked, *pair, valid, kernel, bias, wrt=(0, 3, 4))]
        for what, array in zip(("loss", "gradient by x", "gradient by kernel", "gradient by bias"), own, strict=True):
            found |= _where_nan(f"{name}: {what}", array) if name == "no labels" else {f"{name}: {what}": array}
    found["alone: loss"] = lab.values(plain, *alone(data), kernel, bias)
    own = lab.gradients(plain, *alone(data), kernel, bias, wrt=(2, 3))
    found |= {"alone: gradient by kernel": own[0], "alone: gradient by bias": own[1], "all: loss": lab.values(plain, x, y, kernel, bias)}
    found["level"] = lab.gradients(masked, x, y, valid, kernel * 0, bias * 0, wrt=(3,))[0]
    z = x @ kernel + bias
    for name, shape in (("by step", z.shape), ("in a row", (count, CLASSES))):
        found[f"losses {name}"] = lab.values(loss, z.reshape(shape), y.reshape(shape))
        found[f"slopes {name}"] = lab.gradients(loss, z.reshape(shape), y.reshape(shape))[0]
    for name, (features, *weights) in {"exact": (x, kernel, bias), "wide": wide()}.items():
        found[f"{name} whole"] = lab.values(logits, features, *weights)
        found[f"{name} in a row"] = lab.values(logits, features.reshape(count, -1), *weights)
        found[f"{name} by step"] = np.stack([lab.values(logits, features[:, t], *weights, mode="eager") for t in range(STEPS)], axis=1)
    return found


def _where_nan(name: str, array: Any) -> dict[str, Any]:
    """What is NaN, and the numbers with 0 in place of it."""
    return {f"{name}, NaN": np.isnan(array), name: np.nan_to_num(array, nan=0.0)}


def _keras(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """``Masking``, ``TimeDistributed`` and ``mask_zero``, compiled; the valid steps alone beside them."""
    x, y = data["sequences.x"], one_hot(data)
    found: dict[str, Any] = {}
    for name, (given, targets) in {"masked": (x, y), "distributed": (x, y), "alone": alone(data)}.items():
        model = _model(name)
        found |= {f"{name}: {what}": array for what, array in audited(model, given, targets).items()}
        if name == "masked":
            found["in two batches"] = model.evaluate(given, targets, batch_size=HALF, verbose=0)
            found["other labels: loss"] = audited(model, given, one_hot(data, 7.0))["reported"][0]
            found |= _where_nan("no labels: loss", audited(model, given, one_hot(data, np.nan))["reported"][0])
        model.set_weights([LARGE * w for w in made()])
        found |= {f"{name}, large: {what}": array for what, array in audited(model, given, targets).items()}
        model.set_weights([0 * w for w in made()])
        fit(model, given, targets, 1)
        found |= {f"{name}: step of {what}": array for what, array in zip(("kernel", "bias"), model.get_weights(), strict=True)}
    model = _model("embedded")
    found |= {f"embedded: {what}": array for what, array in audited(model, data["sequences.token"], y).items()}
    fit(model, data["sequences.token"], y, 1)
    found |= {"embedded: rows after a step": model.get_weights()[0]}
    return found | _layers(lab, data)


def _model(name: str) -> Any:
    """Masking and a layer for each step; the same with TimeDistributed around it; the layer alone; an embedding that masks token 0."""
    given = keras.Input({"alone": (FEATURES,), "embedded": (STEPS,)}.get(name, (STEPS, FEATURES)))
    layer = keras.layers.Dense(CLASSES, activation="softmax")
    made_of: dict[str, Any] = {
        "masked": lambda: layer(keras.layers.Masking()(given)),
        "distributed": lambda: keras.layers.TimeDistributed(layer)(keras.layers.Masking()(given)),
        "alone": lambda: layer(given),
        "embedded": lambda: layer(keras.layers.Embedding(6, FEATURES, mask_zero=True)(given)),
    }
    model = keras.Model(given, made_of[name]())
    model.set_weights([rows(), *made()] if name == "embedded" else list(made()))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="categorical_crossentropy")
    return model


def _layers(lab: Lab, data: Arrays) -> dict[str, Any]:
    """Dense with and without TimeDistributed, on numbers that are exact and on others; a recurrent layer's states under a mask."""
    found: dict[str, Any] = {}
    for name, (features, *weights) in {"exact": (data["sequences.x"], *made()), "wide": wide()}.items():
        layer = keras.layers.Dense(CLASSES)
        layer.build((None, features.shape[-1]))
        layer.set_weights(weights)
        found[f"{name} whole"] = lab.values(layer, features)
        found[f"{name} by step"] = lab.values(keras.layers.TimeDistributed(layer), features)

    layer = keras.layers.SimpleRNN(UNITS, activation="relu", return_sequences=True)
    layer.build(data["sequences.x"].shape)
    layer.set_weights(recurrent())
    found["states"] = lab.values(lambda x, mask: layer(x, mask=mask), data["sequences.x"], data["sequences.valid"])
    return found


def _judge(account: Account) -> None:
    from suite.casebook.masked_sequences import judge

    judge(account)


ENTRY = Entry(
    "C11",
    "Masked sequences",
    "002_fd96f1392fe2ebc9.txt",
    "Steps that are masked count for nothing, in the loss and in its gradient. A dense layer is applied to each time step anyway: "
    "TimeDistributed around it adds nothing.",
    "Sixteen padded sequences whose logits are exact in float32: loss and gradient under the mask against those of the valid steps alone; "
    "losses of (batch, time, classes) against those of its rows; a dense layer with TimeDistributed and without.",
    {"keras": _keras, "": _functions},
    _judge,
    data=("sequences",),
)
