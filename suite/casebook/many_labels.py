"""What C7 measures of two hundred labels, held against exact arithmetic."""

from __future__ import annotations

import numpy as np

from suite.casebook.account import Account, shown
from suite.casebook.audit import audit, binary, categorical
from suite.casebook.backward import Off, backward, forward, gamma, mean, stepped, used
from suite.casebook.c07_many_labels import GROUPS, LABELS, MOVED, NAMES, PACE, RATE, STEPS, certain, free_logits, made, parts
from suite.casebook.drawing import chart, figure, line, network
from suite.casebook.errors import allowed
from suite.casebook.habits import HIDDEN_LOGITS
from suite.casebook.losses import binary_losses, binary_slopes, categorical_slopes
from suite.floats import Floats
from suite.model import Axis
from suite.operations.binary import with_logits_error
from suite.operations.bounds import Row, logistic, sigmoid_error, softplus

ASSUMES_DISTRIBUTION = {"tensorflow", "keras-tensorflow"}
"""Backends whose cross-entropy has the gradient p − y, which is right for labels that sum to 1."""


def judge(account: Account) -> None:
    """Of everything."""
    weights, x, y = made()
    inputs = forward(weights, x, exact=True)
    z = inputs[-1].value
    slope = binary_slopes(account, z, y).scaled(1 / y.size, 4)
    _heads(account, binary_losses(account, z, y), backward(weights, inputs, slope))
    if "single compiled" in account.measured:
        _as_keras_has_it(account, y)
    _uncoupled(account)
    _coupled(account)
    _fitted(account, y)
    _reported(account, y)
    _drawn(account, y)


def _heads(account: Account, losses: Off, gradients: list[Off]) -> None:
    z = forward(made()[0], made()[1], exact=True)[-1].value
    account.within("The 1,600 probabilities are the sigmoid of the exact logits, within its error bound",
                   account.share("sigmoid", {"x": z.ravel()}, account["predicted"].ravel()))  # fmt: skip
    single, heads = account["single loss"], account["losses of heads"]
    whole, columns = mean(losses), [mean(Off(v, e)) for v, e in zip(losses.value.T, losses.error.T, strict=True)]
    account.within(f"The loss of one head of 200 labels, {shown(single)}, is the exact mean within its bound", used([single], [whole]))
    account.within("So is each of the losses of 200 heads with a label each", used(list(heads), columns))
    both = float(whole.error + np.mean([c.error for c in columns]))
    account.near("The mean of the 200 heads' losses is the single head's, but for both bounds", np.mean(heads), float(single), both)
    got = {what: [account[f"{what}: {name}"] for name in NAMES] for what in ("single gradient", "heads' mean gradient")}
    account.within("The single head's gradient by every weight of both layers is the exact one within its bound",
                   used(got["single gradient"], gradients))  # fmt: skip
    account.within("So is the mean of the 200 heads' gradients", used(got["heads' mean gradient"], gradients))
    after = {what: [account[f"{what} after a step: {name}"] for name in NAMES] for what in ("single", "split")}
    wanted = stepped(made()[0], gradients, RATE)
    account.within(
        "One step of SGD takes the weights of one head where exact arithmetic does, within the bound", used(after["single"], wanted)
    )
    account.within(f"It takes the weights of {GROUPS} heads of {LABELS // GROUPS} labels there too", used(after["split"], wanted))
    moved = max(float(np.max(np.abs(a - b))) for a, b in zip(after["single"], made()[0], strict=True))
    account.claim("The step is large beside the bound: it moves a weight by more than 1,000 times as much",
                  moved > 1000 * max(float(np.max(w.error)) for w in wanted), moved)  # fmt: skip


def _as_keras_has_it(account: Account, y: Floats) -> None:
    rounding, single, split = account.rounding(), account["single compiled"], account["split compiled"]
    predicted = account["split compiled predicted"]
    one = binary(y, account["single compiled predicted"], rounding)
    audit(account, "the compiled single head", single[0], one)
    heads = [binary(y[:, part], predicted[:, part], rounding) for part in parts(GROUPS)]
    wanted = Off(np.array([head.loss for head in heads]), np.array([head.allowed for head in heads]))
    account.within("Each of the losses that the split model reports is that of its predictions", used([split[1:]], [wanted]))
    text = f"Keras adds the losses of several outputs up: it minimises {GROUPS} times the single head's, and SGD needs a rate of 1/{GROUPS}"
    account.near(text, split[0], GROUPS * single[0], GROUPS * one.allowed + sum(head.allowed for head in heads), "limit")
    _when_certain(account, y)


def _when_certain(account: Account, y: Floats) -> None:
    """At logits of ±20, which are beyond the clip whatever sigmoid's rounding."""
    rounding, hides = account.rounding(), account.backend in HIDDEN_LOGITS
    z = np.broadcast_to(certain()[3], y.shape)
    exact = y * softplus(-z) + (1 - y) * softplus(z)
    from_logits = mean(Off(exact, with_logits_error(z, y, exact, rounding)))
    p = np.where(z > 0, 1 - 2.0**-23, float(np.float32(1e-7)))
    own = allowed(account, "binary_cross_entropy", {"probabilities": p.ravel(), "labels": y.ravel()}).reshape(y.shape)
    clipped = mean(Off(-(y * np.log(p) + (1 - y) * np.log1p(-p)), own))
    text = (
        "At logits of ±20 the single head's loss is that of the logits: Keras on TensorFlow finds them behind a sigmoid that is itself the "
        "output (nn.py, _get_logits)"
        if hides
        else f"At logits of ±20 the single head's loss is that of probabilities clipped at 1e-7, not {float(from_logits.value):.6g}"
    )
    wanted = from_logits if hides else clipped
    account.near(text, account["single certain"], float(wanted.value), float(wanted.error), "limit")
    text = "The mean of the split heads' losses is that of the clipped probabilities"
    text += ": behind a cut there are no logits to be found, and splitting changes the loss" if hides else " too"
    account.near(text, account["split certain"] / GROUPS, float(clipped.value),
                 float(clipped.error) + gamma(GROUPS) * float(clipped.value), "limit" if hides else "claim")  # fmt: skip


def _uncoupled(account: Account) -> None:
    others = np.arange(LABELS) != MOVED
    (z, moved, flipped), y, before = free_logits(), made()[2], account["binary"]
    for change, logits, labels in (("", z, y), (", logit moved", moved, y), (", label moved", z, flipped)):
        got = account["binary" + change]
        account.within(f"Binary cross-entropy's gradient by the logits is σ(x) − y within its bound{change.replace(',', ', one')}",
                       used([got], [binary_slopes(account, logits, labels)]))  # fmt: skip
        if change:
            account.same(
                f"With one {change[2:]} its gradient by the 199 others stays the same bit for bit", got[:, others], before[:, others]
            )


def _coupled(account: Account) -> None:
    (z, moved, flipped), y = free_logits(), made()[2]
    others = np.arange(LABELS) != MOVED
    assumes = account.backend in ASSUMES_DISTRIBUTION
    cases = {"": (z, y), ", logit moved": (moved, y), ", label moved": (z, flipped)}
    wanted = {}
    for name, (logits, labels) in cases.items():
        mass = np.ones((len(labels), 1)) if assumes else labels.sum(axis=1, keepdims=True)
        wanted[name] = categorical_slopes(account, logits, labels, mass)
    text = "p − y, which is not that of its loss, p Σy − y: TensorFlow takes it that labels sum to 1" if assumes else "p Σy − y"
    account.within(
        f"Softmax's cross-entropy has the gradient {text}", used([account["categorical" + name] for name in cases], [*wanted.values()])
    )
    for name in (", logit moved", ", label moved"):
        change = np.abs(account["categorical" + name] - account["categorical"])[:, others]
        if assumes and "label" in name:
            account.same("So it does not feel that another label moves, though its loss does", change, np.zeros(change.shape), "limit")
            continue
        least = np.abs(wanted[name].value - wanted[""].value) - wanted[name].error - wanted[""].error
        account.claim(f"With one{name[1:]} its gradients by the 199 others move, by up to {np.max(change):.3g}: it couples them",
                      np.all(change >= least[:, others]) and np.mean(least[:, others] > 0) > 0.9, np.max(change), "> 0")  # fmt: skip


def _fitted(account: Account, y: Floats) -> None:
    sigmoid, softmax = account["trained with sigmoid"], account["trained with softmax"]
    account.within(f"{STEPS} steps under binary cross-entropy take the probabilities where exact arithmetic does",
                   used([sigmoid], [_simulated(account, y)]))  # fmt: skip
    right = [int(np.sum(np.round(8 * p) / 8 == y)) for p in (sigmoid, softmax)]
    account.claim("Rounded to eighths they are the labels, all 1,600", right[0] == y.size, right[0], y.size)
    account.near("A row of 200 softmax outputs sums to 1, but for 202 roundings", softmax.sum(axis=1), np.ones(len(y)), gamma(202))
    off, least = np.abs(softmax - y).sum(axis=1), y.sum(axis=1) - 1 - gamma(202)
    account.claim("So softmax misses a row of percentages by their sum less 1 at least, whatever it learns: here by so much a label",
                  np.all(off >= least), np.mean(off) / LABELS, f"≥ {np.mean(least) / LABELS:.6g}")  # fmt: skip
    zeros = int(np.sum(y == 0))
    account.claim("Rounded to eighths its outputs are all 0, which is right for the labels 0 alone", right[1] == zeros, right[1], zeros)


def _reported(account: Account, y: Floats) -> None:
    """The audits of the trained models; the losses of logits, and those that Keras makes into such, are held against log p unclipped."""
    sigmoid, softmax = account["trained with sigmoid"], account["trained with softmax"]
    rounding, reported = account.rounding(), float(account["reported with softmax"])
    audit(account, "the trained sigmoid head", float(account["reported with sigmoid"]), binary(y, sigmoid, rounding))
    clipped = categorical(y, softmax, rounding)
    if account.backend == "keras-jax":
        audit(account, "the trained softmax head", reported, clipped)
        return
    logs = np.log(softmax)
    row = Row.of(logs)
    errors = (y * (2 * row.softmax_relative(rounding) + row.log_softmax_error(logs, rounding))).sum(axis=1)
    exact = -(y * logs).sum(axis=1)
    whole = mean(Off(exact, errors + gamma(LABELS) * exact))
    hides = account.backend in HIDDEN_LOGITS
    text = "The loss that the trained softmax head reports is that of its logits"
    text += f"; its probabilities, clipped at 1e-7, give {clipped.loss:.6g}" if hides else ", which is that of its probabilities"
    account.near(text, reported, float(whole.value), float(whole.error), "limit" if hides else "claim")
    if account.backend in ASSUMES_DISTRIBUTION:
        start = float(np.mean(y.sum(axis=1))) * np.log(LABELS)
        account.claim(
            "Along a gradient that is not its own the loss has gone up", reported > start, reported, f"> {start:.6g}, at the start"
        )


def _simulated(account: Account, y: Floats) -> Off:
    """Gradient descent on the logits in float64, and how far float32's can be from it.

    A step x − r(σ(x) − y) brings two points no further apart, since r σ' ≤ 1 for r ≤ 4: what each step adds adds up.
    """
    z, error = np.zeros(y.shape), np.zeros(y.shape)
    for _ in range(STEPS):
        step = Off(z, error).plus(binary_slopes(account, z, y).scaled(-PACE, 6))
        z, error = step.value, step.error
    moved = 1.01 * error * logistic(z) * logistic(-z) * np.exp(error)
    return Off(logistic(z), moved + 1.01 * sigmoid_error(z, account.rounding()))


def _drawn(account: Account, y: Floats) -> None:
    order = np.argsort(y[0], kind="stable")
    rank, label = np.arange(LABELS), Axis("label, in order of its target")
    change = {name: np.abs(account[f"{name}, logit moved"] - account[name])[0] for name in ("binary", "categorical")}
    others = np.arange(LABELS) != MOVED
    account.figure(
        figure(
            "Two hundred labels: sigmoid gives each its own probability, softmax shares one out",
            chart("First example after 60 steps", label, Axis("percentage"), line("target", rank, y[0][order], "points"),
                  line("sigmoid, binary cross-entropy", rank, account["trained with sigmoid"][0][order]),
                  line("softmax, categorical cross-entropy", rank, account["trained with softmax"][0][order], "dashed")),
            chart(f"Gradient's change on the others when logit {MOVED} moves by 2", Axis("label"), Axis("|change|"),
                  *(line(f"{name} cross-entropy", rank[others], each[others], "points") for name, each in change.items())),
            network("Network", [("input", ["x₁", "…", "x₆"]), ("relu", ["h₁", "…", "h₈"]), ("sigmoid", ["p₁", "p₂", "…", "p₂₀₀"])]),
        )
    )  # fmt: skip
