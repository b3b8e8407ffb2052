"""C14: a classifier with an input for each class."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.keras import audited, sequential
from suite.backends.training import Dense, forward, glorot
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account
    from suite.casebook.backward import Off

keras = lazy("keras")

SIZES = (2, 16, 32, 32, 1)
LAYERS = (Dense(16, "relu"), Dense(32, "relu"), Dense(32, "relu"), Dense(1))
FEW = 20
"""Examples of class 0 that are left where the classes are not balanced; of class 1 there are 50."""
U = FORMATS["float32"].u


@cache
def weights() -> list[Floats]:
    """Kernels of half the size that Glorot and Bengio give them, small biases; numbers of float32."""
    random = np.random.RandomState(14)
    found: list[Floats] = []
    for before, after in pairwise(SIZES):
        found += [glorot(random, before, after) / 2, random.uniform(-0.1, 0.1, size=after)]
    return [each.astype(np.float32).astype(np.float64) for each in found]


def examples(data: Arrays, few: bool = False) -> tuple[Floats, Floats]:
    """Points of class 1, 50 of them, and those of class 0, all or ``FEW``; numbers of float32."""
    x = data["blobs.x"].astype(np.float32).astype(np.float64)
    positive, negative = x[data["blobs.y"] == 1], x[data["blobs.y"] == 0]
    return positive, negative[:FEW] if few else negative


def _usual(lab: Lab, x: Any, y: Any, *w: Any) -> Any:
    return lab.ops.mean(lab.function("binary_cross_entropy_with_logits")(forward(lab.ops, LAYERS, w, x)[:, 0], y))


def _functions(lab: Lab, data: Arrays) -> dict[str, Any]:
    """The usual loss, the losses of two inputs, and the gradients of the usual one and of half their sum."""
    found: dict[str, Any] = {}
    positive, negative = examples(data)

    def halves(p: Any, n: Any, ones: Any, zeros: Any, *w: Any) -> Any:
        return (_usual(lab, p, ones, *w) + _usual(lab, n, zeros, *w)) / 2

    ones, zeros = np.ones(len(positive)), np.zeros(len(negative))
    x, y = np.concatenate([positive, negative]), np.concatenate([ones, zeros])
    found["usual"] = lab.values(lambda x, y, *w: _usual(lab, x, y, *w), x, y, *weights())
    found["positive"] = lab.values(lambda x, y, *w: _usual(lab, x, y, *w), positive, ones, *weights())
    found["negative"] = lab.values(lambda x, y, *w: _usual(lab, x, y, *w), negative, zeros, *weights())
    whole = lab.gradients(lambda x, y, *w: _usual(lab, x, y, *w), x, y, *weights(), wrt=range(2, 10), cotangent=np.ones(()))
    split = lab.gradients(halves, positive, negative, ones, zeros, *weights(), wrt=range(4, 12), cotangent=np.ones(()))
    for number, (a, b) in enumerate(zip(whole, split, strict=True)):
        found |= {f"gradient {number}": a, f"gradient of halves {number}": b}
    few = examples(data, few=True)[1]
    found["few"] = lab.values(lambda x, y, *w: _usual(lab, x, y, *w), few, np.zeros(FEW), *weights())
    found["unbalanced"] = lab.values(
        lambda x, y, *w: _usual(lab, x, y, *w), np.concatenate([positive, few]), np.concatenate([ones, np.zeros(FEW)]), *weights()
    )
    return found


def _by_functions(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _functions(lab, data)


def _keras(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The document's two models, compiled; with loss weights where the classes are not balanced."""
    found = _functions(lab, data)
    classifier = sequential((*LAYERS[:-1], Dense(1, "sigmoid")), 2, [w.astype(np.float32) for w in weights()])
    for name, few in (("balanced", False), ("unbalanced", True)):
        positive, negative = (x.astype(np.float32) for x in examples(data, few))
        ones, zeros = np.ones((len(positive), 1), np.float32), np.zeros((len(negative), 1), np.float32)
        classifier.compile(optimizer="rmsprop", loss="binary_crossentropy")
        done = audited(classifier, np.concatenate([positive, negative]), np.concatenate([ones, zeros]))
        found |= {f"model {name} {key}": value for key, value in done.items()}
        inputs = [keras.Input((2,)), keras.Input((2,))]
        model = keras.Model(inputs, [classifier(each) for each in inputs])
        size = len(positive) + len(negative)
        shares = [len(positive) / size, len(negative) / size] if few else None
        model.compile(optimizer="rmsprop", loss=["binary_crossentropy"] * 2, loss_weights=shares)
        total = model.test_on_batch([positive, negative], [ones, zeros], return_dict=True) if few else {}
        if few:
            found["weighted total"] = total["loss"]
        else:
            # Both inputs have 50 examples, so that they can be handed over as one data set.
            done = audited(model, [positive, negative], [ones, zeros])
            found |= {f"two inputs {key}": value for key, value in done.items()}
    return found


def _judge(account: Account) -> None:
    from suite.casebook.backward import Off, apart, backward, forward, mean, used
    from suite.casebook.losses import binary_losses, binary_slopes

    def losses(x: Floats, label: float) -> Off:
        """Each example's, from logits that may be off themselves: a loss moves by no more than its logit does."""
        z = forward(weights(), x)[-1]
        own = binary_losses(account, z.value, np.full(z.value.shape, label))
        return Off(own.value, np.asarray(own.error + z.error))

    positive, negative = examples(account.data)
    by_class = losses(positive, 1.0), losses(negative, 0.0)
    everything = Off(*(np.concatenate([getattr(each, part) for each in by_class]) for part in ("value", "error")))
    usual, one, zero = mean(everything), mean(by_class[0]), mean(by_class[1])
    for name, wanted in (("usual", usual), ("positive", one), ("negative", zero)):
        account.within(f"The {name} loss is the exact one within the bound", used([account[name]], [wanted]))
    half = float(account["positive"] + account["negative"]) / 2
    account.near("With balanced classes the mean of the two classes' losses is the usual one, but for both bounds", half,
                 float(account["usual"]), float(usual.error + (one.error + zero.error) / 2))  # fmt: skip
    x = np.concatenate([positive, negative])
    given = forward(weights(), x)
    z, y = given[-1], np.repeat([[1.0], [0.0]], len(positive), axis=0)
    slopes = binary_slopes(account, z.value, y)
    moved = Off(slopes.value, np.asarray(slopes.error + z.error / 4)).scaled(1 / len(y), 4)
    exact = backward(weights(), given[:-1], moved)
    whole, split = ([account[f"gradient {what}{n}"] for n in range(8)] for what in ("", "of halves "))
    account.printed("The data are those of make_blobs, to the last printed digit", "points", account.data["blobs.x"][:2].ravel())
    account.within("The usual loss's gradient by every weight is the exact one within the bound", used(whole, exact))
    account.within("So is that of half the sum of the two", used(split, exact))
    account.within("They are apart by no more than both bounds allow", apart(whole, split, exact))
    _judge_unbalanced(account, float(one.error), float(mean(losses(examples(account.data, few=True)[1], 0.0)).error))
    if "two inputs reported" in account.measured:
        _judge_models(account)
    _draw(account, everything)


def _judge_unbalanced(account: Account, one: float, few: float) -> None:
    """What a plain mean of two means is off by, if one class has 50 examples and the other 20."""
    positive, negative, got = float(account["positive"]), float(account["few"]), float(account["unbalanced"])
    share = 50 / (50 + FEW)
    slack = 2 * (one + few) + 4 * U * (positive + negative)
    weighted = share * positive + (1 - share) * negative
    account.near("With 50 and 20 examples the mean weighted by their shares is the usual loss", weighted, got, slack)
    off = (positive + negative) / 2 - got
    account.near("The plain mean is off by half less the share of class 1, times what the classes' losses differ by", off,
                 (0.5 - share) * (positive - negative), slack)  # fmt: skip
    account.limit("So it is right for balanced classes alone; here it is off by", abs(off) > 10 * slack, off, f"more than {10 * slack:.3g}")


def _judge_models(account: Account) -> None:
    from suite.casebook.audit import audit, binary

    rounding, reported = account.rounding(), account["two inputs reported"]
    y = np.repeat([1.0, 0.0], 50)
    usual = binary(y, account["model balanced predicted"], rounding)
    audit(account, "the usual compiled model", float(account["model balanced reported"][0]), usual)
    ends = (1.0, account["two inputs predicted"]), (0.0, account["two inputs predicted 1"])
    each = [binary(np.full(p.shape, label), p, rounding) for label, p in ends]
    total, first, second = (float(each) for each in reported)
    allowed = sum(e.allowed for e in each)
    account.near("The loss that the two-input model optimises is the sum of those of its two predictions", total, sum(e.loss for e in each),
                 allowed + 2 * U * total)  # fmt: skip
    account.near("Half of it is the usual model's loss, but for both bounds", total / 2, float(account["model balanced reported"][0]),
                 usual.allowed + allowed / 2)  # fmt: skip
    audit(account, "the second output of the two-input model", second, each[1])
    account.refuted(
        "evaluate lists the second output's loss for the first as well, so that the mean of the list is not the usual loss any more: both "
        "outputs are the same layer's and have its name, by which results are kept (get_metrics_result in "
        "keras/src/trainers/trainer.py)",
        first == second and abs(first - each[0].loss) > 10 * each[0].allowed, f"{first:.9g}", f"{each[0].loss:.9g} would be right",
    )  # fmt: skip
    y = np.repeat([1.0, 0.0], [50, FEW])
    fewer = binary(y, account["model unbalanced predicted"], rounding)
    audit(account, "the usual compiled model of unbalanced classes", float(account["model unbalanced reported"][0]), fewer)
    account.near("With loss weights 50/70 and 20/70 the two-input model optimises the usual loss of unbalanced classes",
                 account["weighted total"], float(account["model unbalanced reported"][0]), 2 * fewer.allowed)  # fmt: skip


def _draw(account: Account, losses: Off) -> None:
    x, y = account.data["blobs.x"], account.data["blobs.y"]
    clouds = [line(f"class {k}", x[y == k, 0], x[y == k, 1], "points") for k in (0, 1)]
    sizes = np.arange(1, 51)
    one, zero = losses.value[:50].mean(), losses.value[50:].mean()
    plain = [(one + zero) / 2 - (50 * one + n * zero) / (50 + n) for n in sizes]
    inside = ["1", "2", "…"]
    layers = [("input", ["x1", "x2"]), ("relu", [*inside, "16"]), ("relu", [*inside, "32"]), ("relu", [*inside, "32"]), ("sigmoid", ["p"])]
    account.figure(
        figure(
            "An input for each class: the mean of two means is the usual loss if the classes are balanced",
            chart("Data", Axis("x1"), Axis("x2"), *clouds),
            chart("Plain mean less usual loss", Axis("examples of class 0, beside 50 of class 1"), Axis("difference (nats)"),
                  line("exact", sizes, plain)),
            network("Network, shared by both inputs", layers),
        )
    )  # fmt: skip
    account.table("Losses in nats", ("what", "loss"),
                  [("usual, 100 examples", account["usual"]), ("class 1", account["positive"]), ("class 0", account["negative"]),
                   ("usual, 50 and 20 examples", account["unbalanced"])])  # fmt: skip


ENTRY = Entry(
    "C14",
    "An input for each class",
    "000_ba17eccff0352fe8.txt",
    "A binary classifier can be wired as a model with two inputs and two outputs, one for each class: the mean of its two losses is the "
    "usual binary cross-entropy, and what is optimised is their sum.",
    "The document's 100 points and its network 2→16→32→32→1 with drawn weights: losses and gradients of both forms, for balanced classes "
    "and for 50 examples beside 20; Keras with the two compiled models as well.",
    {"keras": _keras, "": _by_functions},
    _judge,
    data=("blobs",),
)
