"""C13: two outputs whose losses are weighted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

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

WEIGHTS = (0.2, 0.25)
"""The question's weight of the second loss, and one that float32 holds."""
RATE = 0.5
U = FORMATS["float32"].u
NAMES = ("kernel 1", "bias 1", "kernel 2", "bias 2")


@cache
def made() -> tuple[Balanced, Floats]:
    """The network, whose two logits are those of the main and of the auxiliary output, and a label for each."""
    return Balanced.draw(21, 2), np.random.RandomState(23).randint(0, 2, size=(EXAMPLES, 2)).astype(np.float64)


# Experiments


def _two_losses(lab: Lab, x: Any, y: Any, *w: Any) -> tuple[Any, Any]:
    """The main output's and the auxiliary output's, from one hidden layer."""
    ops, loss = lab.ops, lab.function("binary_cross_entropy_with_logits")
    logits = ops.matmul(ops.relu(ops.matmul(x, w[0]) + w[1]), w[2]) + w[3]
    return ops.mean(loss(logits[:, 0], y[:, 0])), ops.mean(loss(logits[:, 1], y[:, 1]))


def _total(lab: Lab, factor: Any, x: Any, y: Any, *w: Any) -> Any:
    main, auxiliary = _two_losses(lab, x, y, *w)
    return main + factor * auxiliary


def _tensorflow(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def weighted(factor: Any, x: Any, y: Any, *weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = _two_losses(lab, x, y, *weights)
        return tape.gradient(losses, weights, output_gradients=[tf.ones_like(factor), factor])

    return _functions(lab, weighted)


def _jax(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    def weighted(factor: Any, x: Any, y: Any, *weights: Any) -> Any:
        return jax.vjp(lambda *w: _two_losses(lab, x, y, *w), *weights)[1]((jax.numpy.ones_like(factor), factor))

    return _functions(lab, weighted)


def _functions(lab: Lab, weighted: Any) -> Mapping[str, Any]:
    """Losses at general inputs; at level ones gradients of the weighted sum, and of two outputs with weights for cotangents."""
    net, y = made()
    found: dict[str, Any] = {}
    for i, name in enumerate(("main", "auxiliary")):
        found[f"{name} loss"] = lab.values(lambda *a, i=i: _two_losses(lab, *a)[i], net.x, y, *net.weights)
        own = lab.gradients(lambda *a, i=i: _two_losses(lab, *a)[i], net.level, y, *net.weights, wrt=range(2, 6))
        found |= _named(f"{name} alone", own)
    total = partial(_total, lab)
    compiled = lab.backend.compile(weighted, lab.mode)
    for factor in WEIGHTS:
        given = np.asarray(np.float32(factor))
        found[f"total with {factor}"] = lab.values(total, given, net.x, y, *net.weights)
        found |= _named(f"sum with {factor}", lab.gradients(total, given, net.level, y, *net.weights, wrt=range(3, 7)))
        tensors = [lab.backend.tensor(np.asarray(a), "float32") for a in (given, net.level, y, *net.weights)]
        found |= _named(f"outputs with {factor}", [lab.backend.array(g) for g in compiled(*tensors)])
    return found


def _keras(_lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """``loss_weights``: losses reported at general inputs and at level ones, and the weights after one step from these."""
    net, y = made()
    targets = [y[:, :1], y[:, 1:]]
    found: dict[str, Any] = {}
    for factor in WEIGHTS:
        model = _model(factor, ["binary_crossentropy"] * 2)
        found |= {f"{name} with {factor}": array for name, array in audited(model, net.x, targets).items()}
        found[f"level with {factor}"] = audited(model, net.level, targets)["reported"]
        fit(model, net.level, tuple(targets), 1)
        kernel, bias, *heads = model.get_weights()
        found |= _named(f"step with {factor}", (kernel, bias, np.hstack(heads[::2]), np.hstack(heads[1::2])))
    try:
        audited(_model(WEIGHTS[0], "binary_crossentropy"), net.x, targets)
    except ValueError as error:
        found["refused"] = "`loss_weights` must match the number of losses" in str(error)
    return found


def _model(factor: float, loss: Any) -> Any:
    kernel, bias, last, last_bias = made()[0].weights
    given = keras.Input((5,))
    hidden = keras.layers.Dense(HIDDEN, activation="relu")(given)
    heads = [keras.layers.Dense(1, activation="sigmoid", name=name)(hidden) for name in ("main_output", "aux_output")]
    model = keras.Model(given, heads)
    model.set_weights([kernel, bias, last[:, :1], last_bias[:1], last[:, 1:], last_bias[1:]])
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss, loss_weights=[1.0, factor])
    return model


def _named(what: str, arrays: Any) -> dict[str, Any]:
    return {f"{what}: {name}": array for name, array in zip(NAMES, arrays, strict=True)}


# Judgement


def _judge(account: Account) -> None:
    if "main loss" in account.measured:
        _of_functions(account)
    else:
        _of_models(account)
    _drawn(account)


def _slopes(factor: float) -> Floats:
    """What the loss's gradient by the two logits is where both are 0: (½ − y)/8, exact in float32 with the weight as it is there."""
    return np.asarray((0.5 - made()[1]) / EXAMPLES * [1.0, float(np.float32(factor))])


def _gradients(factor: float) -> list[Any]:
    """The exact ones, and how far sums of rounded products may be off them; products with a weight of ¼ do not round."""
    from suite.casebook.backward import Off, backward, forward

    net, _ = made()
    slopes = Off(_slopes(factor), np.zeros((EXAMPLES, 2)))
    found = backward(net.weights, forward(net.weights, net.level, exact=True), slopes)
    return found if factor == WEIGHTS[0] else [Off(each.value, np.zeros_like(each.error)) for each in found]


def _losses(account: Account) -> list[Any]:
    """The exact mean losses at general inputs, and what a framework's may be off by."""
    from suite.casebook.backward import mean
    from suite.casebook.losses import binary_losses

    net, y = made()
    return [mean(binary_losses(account, net.logits(net.x)[:, i], y[:, i])) for i in (0, 1)]


def _of_functions(account: Account) -> None:
    from suite.casebook.backward import used

    main, auxiliary = _losses(account)
    for name, loss in (("main", main), ("auxiliary", auxiliary)):
        text = f"The {name} output's loss is the exact mean within its bound"
        account.near(text, account[f"{name} loss"], float(loss.value), float(loss.error))
    net, y = made()
    for i, name in enumerate(("main", "auxiliary")):
        slopes = (0.5 - y) / EXAMPLES * (np.arange(2) == i)
        account.same(f"Where both logits are 0 the {name} loss's own gradient by all weights is exact, bit for bit",
                     _flat(account, f"{name} alone"), np.concatenate([g.ravel() for g in net.gradient(net.level, slopes)]))  # fmt: skip
    for factor in WEIGHTS:
        whole = auxiliary.scaled(float(np.float32(factor)), 1).plus(main)
        account.near(f"With weights 1 and {factor} the total is the weighted sum of the losses, within their bounds and two roundings",
                     account[f"total with {factor}"], float(whole.value), float(whole.error))  # fmt: skip
        for way, text in (("sum", "the weighted sum"), ("outputs", "two outputs with the weights as cotangents")):
            got = [account[f"{way} with {factor}: {name}"] for name in NAMES]
            if factor == WEIGHTS[0]:
                account.within(f"The gradient of {text}, {factor}, is that of the main loss plus {factor} of the other's, within the bound",
                               used(got, _gradients(factor)))  # fmt: skip
            else:
                wanted = np.concatenate([g.value.ravel() for g in _gradients(factor)])
                account.same(f"With {factor}, which float32 holds, the gradient of {text} is that sum bit for bit",
                             _flat(account, f"{way} with {factor}"), wanted)  # fmt: skip


def _of_models(account: Account) -> None:
    from suite.casebook.audit import audit, binary
    from suite.casebook.backward import stepped, used

    _, y = made()
    for factor in WEIGHTS:
        reported = account[f"reported with {factor}"]
        outputs = [account[f"predicted with {factor}"], account[f"predicted 1 with {factor}"]]
        parts = [binary(y[:, i], outputs[i], account.rounding()) for i in (0, 1)]
        for i, name in enumerate(("main", "auxiliary")):
            audit(account, f"the model with weights 1 and {factor} for its {name} output, unweighted,", reported[1 + i], parts[i])
        _weighted_sum(account, f"At general inputs the total with weights 1 and {factor}", reported, factor)
        level = account[f"level with {factor}"]
        _weighted_sum(account, f"Where both logits are 0 the total with weights 1 and {factor}", level, factor)
        account.near("There both losses are log 2, but for its rounding and that of their mean", level[1:], np.full(2, np.log(2)),
                     (EXAMPLES + 1) * U * np.log(2) + account.rounding().relative("log") * np.log(2))  # fmt: skip
        wanted = stepped(made()[0].weights, _gradients(factor), RATE)
        got = [account[f"step with {factor}: {name}"] for name in NAMES]
        if factor == WEIGHTS[0]:
            account.within(f"A step of SGD from there follows the gradient of the main loss plus {factor} of the other's, within the bound",
                           used(got, wanted))  # fmt: skip
        else:
            account.same(f"With {factor}, which float32 holds, the weights after that step are exact, bit for bit",
                         np.concatenate([g.ravel() for g in got]), np.concatenate([w.value.ravel() for w in wanted]))  # fmt: skip

    account.limit("The question's call, one loss for both outputs and two weights, is refused: Keras 3 wants a loss for each weight "
                  "(CompileLoss.build in compile_utils.py)", bool(account.measured.get("refused", 0) == 1))  # fmt: skip


def _weighted_sum(account: Account, text: str, reported: Floats, factor: float) -> None:
    """The weight, the product, the sum: three roundings, of a total whose terms are positive."""
    whole = reported[1] + factor * reported[2]
    account.near(f"{text} is the main loss plus {factor} of the other's, but for three roundings", reported[0], whole, 3 * U * whole)


def _flat(account: Account, what: str) -> Floats:
    return np.concatenate([account[f"{what}: {name}"].ravel() for name in NAMES])


def _drawn(account: Account) -> None:
    net, y = made()
    by_keras = "main loss" not in account.measured
    found = {
        factor: (net.weights[0] - account[f"step with {factor}: kernel 1"]) / RATE if by_keras else account[f"sum with {factor}: kernel 1"]
        for factor in WEIGHTS
    }
    alone = [net.gradient(net.level, (0.5 - y) / EXAMPLES * (np.arange(2) == i))[0] for i in (0, 1)]
    order = np.arange(found[WEIGHTS[0]].size)
    losses = [float(np.mean(account.exact("binary_cross_entropy_with_logits", {"logits": net.logits(net.x)[:, i], "labels": y[:, i]})))
              for i in (0, 1)]  # fmt: skip
    weights = np.linspace(0, 1, 11)
    totals = [account[f"reported with {f}"][0] if by_keras else account[f"total with {f}"] for f in WEIGHTS]
    account.figure(
        figure(
            "The gradient that both outputs send into the layer that they share",
            chart("Gradient where both logits are 0", Axis("weight of the shared layer's kernel"), Axis("gradient"),
                  line("main loss", order, alone[0], "dashed"), line("auxiliary loss", order, alone[1], "dashed"),
                  line("main + 0.2 · auxiliary", order, alone[0] + 0.2 * alone[1]), line("measured, 0.2", order, found[0.2], "points")),
            chart("Total loss at general inputs", Axis("weight of the auxiliary loss"), Axis("loss"),
                  line("exact", weights, losses[0] + weights * losses[1]), line("measured", WEIGHTS, np.array(totals), "points")),
            network("Network", [("input", ["x₁", "…", "x₅"]), ("relu, shared", ["h₁", "…", "h₈"]), ("sigmoid", ["main", "auxiliary"])]),
        )
    )  # fmt: skip


ENTRY = Entry(
    "C13",
    "Two outputs with weights for their losses",
    "002_fd96f1392fe2ebc9.txt",
    "A model with a main and an auxiliary output and loss weights 1 and 0.2 minimises the weighted sum of the two losses: the layers that "
    "both share follow the weighted sum of the gradients.",
    "A relu network with two sigmoid outputs whose logits are exact, and 0 at chosen inputs, where a whole step of SGD is exact in float32 "
    "but for the weight 0.2, which float32 does not hold; the same with a weight of 0.25, which it does.",
    {"keras": _keras, "tensorflow": _tensorflow, "jax": _jax},
    _judge,
)
