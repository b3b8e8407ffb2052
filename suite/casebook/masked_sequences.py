"""What C11 measures of masked sequences, held against exact arithmetic on the valid steps alone."""

from __future__ import annotations

import numpy as np

from suite.casebook.account import Account
from suite.casebook.audit import audit, categorical
from suite.casebook.backward import Off, backward, forward, gamma, mean, used
from suite.casebook.c11_masked_sequences import CLASSES, HALF, LARGE, SEQUENCES, STEPS, alone, made, one_hot, recurrent, rows, wide
from suite.casebook.drawing import chart, figure, line, network
from suite.casebook.errors import allowed, dense
from suite.casebook.habits import HIDDEN_LOGITS
from suite.casebook.losses import categorical_losses, categorical_slopes
from suite.floats import Floats
from suite.model import Axis

NO_LABEL_NO_LOSS = {"jax"}
"""Backends whose masked mean leaves values out, rather than multiply them by 0."""
WAYS = {
    "masked": "Masking and Dense",
    "distributed": "Masking and TimeDistributed(Dense)",
    "alone": "Dense on the valid steps alone",
}


def judge(account: Account) -> None:
    """Of everything."""
    if "masked: loss" in account.measured:
        _of_functions(account)
        _in_a_row(account)
    else:
        _of_models(account)
        _large(account)
        _embedded(account)
        _states(account)
    _dense(account)
    _drawn(account)


def _exact(account: Account, mask: bool = True) -> Off:
    """The mean loss of the valid steps, or of all: its bound has room for a weight, a product with it and a quotient."""
    x, y = alone(account.data) if mask else (account.data["sequences.x"].reshape(-1, CLASSES), one_hot(account.data).reshape(-1, CLASSES))
    kernel, bias = made()
    return mean(categorical_losses(account, x @ kernel + bias, y)).scaled(1.0, 3)


def _gradients(account: Account, factor: float = 1.0) -> list[Off]:
    """By kernel and bias, of the valid steps' mean loss; the weights may be multiplied by a factor."""
    weights, (x, y) = [factor * w for w in made()], alone(account.data)
    inputs = forward(weights, x, exact=True)
    slopes = categorical_slopes(account, inputs[-1].value, y, np.ones((len(y), 1))).scaled(1 / len(y), 4)
    return backward(weights, inputs, slopes)


def _level(account: Account) -> list[Floats]:
    """The exact gradients where the weights are 0: all probabilities are ¼, and 32 steps are averaged."""
    x, y = alone(account.data)
    slopes = (1 / CLASSES - y) / len(y)
    return [x.T @ slopes, slopes.sum(axis=0)]


def _of_functions(account: Account) -> None:
    valid, wanted = account.data["sequences.valid"], _exact(account)
    loss, everything = float(account["masked: loss"]), _exact(account, mask=False)
    account.near(
        "The masked loss is the exact mean over the 32 valid steps within its bound", loss, float(wanted.value), float(wanted.error)
    )
    account.near("The loss of the valid steps alone is too", account["alone: loss"], float(wanted.value), float(wanted.error))
    account.near("The mean over all 64 steps is another one", account["all: loss"], float(everything.value), float(everything.error))
    account.claim("It differs from the masked loss by far more than their bounds", abs(float(account["all: loss"]) - loss) >
                  100 * float(wanted.error + everything.error), abs(float(account["all: loss"]) - loss))  # fmt: skip
    by_x = account["masked: gradient by x"]
    account.same("No masked step's features have a gradient: it is exactly 0", by_x[~valid], np.zeros_like(by_x[~valid]))
    for name, text in (("masked", "The masked loss's gradient by kernel and bias"), ("alone", "That of the valid steps alone")):
        got = [account[f"{name}: gradient by {what}"] for what in ("kernel", "bias")]
        account.within(f"{text} is the exact one of the valid steps within its bound", used(got, _gradients(account)))
    x, y = alone(account.data)
    slopes = categorical_slopes(account, x @ made()[0] + made()[1], y, np.ones((len(y), 1))).scaled(1 / len(y), 4)
    kernel = made()[0].T
    wanted = Off(slopes.value @ kernel, slopes.error @ np.abs(kernel) + gamma(CLASSES) * (slopes.size @ np.abs(kernel)))
    account.within("Its gradient by the valid steps' features is the exact one within its bound", used([by_x[valid]], [wanted]))
    account.same("With all weights 0 its gradient by the kernel is exact bit for bit", account["level"], _level(account)[0])
    for what in ("loss", "gradient by x", "gradient by kernel", "gradient by bias"):
        text = f"Other labels in the masked steps leave the {what} as it is, bit for bit"
        account.same(text, account[f"other labels: {what}"], account[f"masked: {what}"])
    _without_labels(account)


def _without_labels(account: Account) -> None:
    """NaN in the masked steps' labels."""
    valid, spared = account.data["sequences.valid"], account.backend in NO_LABEL_NO_LOSS
    start = "Masked labels that are NaN"
    for what in ("loss", "gradient by x", "gradient by kernel", "gradient by bias"):
        found, nan, whole = (account[name] for name in (f"no labels: {what}", f"no labels: {what}, NaN", f"masked: {what}"))
        if what == "gradient by x":
            there = np.broadcast_to(valid[..., None], nan.shape)
            account.same(f"{start} leave the gradient by the valid steps' features as it is, bit for bit", found, np.where(there, whole, 0))
            account.same("That by the masked steps' features is NaN", nan, ~there, "limit")
        elif what == "loss" and spared:
            account.same(f"{start} leave the loss as it is, bit for bit", found + nan, whole)
        else:
            account.same(f"{start} make the {what} NaN: on the way they are multiplied by 0", nan - found, np.ones(nan.shape), "limit")


def _in_a_row(account: Account) -> None:
    """Losses and slopes of (batch, time, classes) and of its rows."""
    z, y = _logits(account, "masked"), one_hot(account.data).reshape(-1, CLASSES)
    wanted = {"losses": categorical_losses(account, z, y), "slopes": categorical_slopes(account, z, y, np.ones((len(y), 1)))}
    for what, exact in wanted.items():
        shaped, flat = account[f"{what} by step"].ravel(), account[f"{what} in a row"].ravel()
        account.within(f"The {what} of (batch, time, classes) are exact within their bound, for each step", used([shaped], [_flat(exact)]))
        differ = f"{int(np.sum(shaped != flat))} of {flat.size} differ in any bit"
        text = f"So are those of the same numbers as (batch · time, classes): {differ}"
        account.within(text, used([flat], [_flat(exact)]))


def _flat(off: Off) -> Off:
    return Off(off.value.ravel(), off.error.ravel())


def _logits(account: Account, name: str) -> Floats:
    """The exact ones of every row that a model is given, or of all steps."""
    x = alone(account.data)[0] if name == "alone" else account.data["sequences.x"].reshape(-1, CLASSES)
    return np.asarray(x @ made()[0] + made()[1])


def _steps(account: Account, name: str, what: str) -> Floats:
    """A model's probabilities for the valid steps."""
    predicted = account[f"{name}{what}: predicted"]
    return predicted if name == "alone" else np.asarray(predicted[account.data["sequences.valid"]])


def _of_models(account: Account) -> None:
    y, wanted, rounding = alone(account.data)[1], _exact(account), account.rounding()
    for name, layers in WAYS.items():
        predicted = account[f"{name}: predicted"].reshape(-1, CLASSES)
        account.within(f"The probabilities of {layers} are the softmax of the exact logits within its bound",
                       account.share("softmax", {"x": _logits(account, name)}, predicted))  # fmt: skip
        reported = float(account[f"{name}: reported"][0])
        audit(account, f"{layers}, the mean over the 32 valid steps,", reported, categorical(y, _steps(account, name, ""), rounding))
        account.near(f"The loss of {layers} is the exact mean over the valid steps", reported, float(wanted.value), float(wanted.error))
        step = [account[f"{name}: step of {what}"] for what in ("kernel", "bias")]
        text = f"A step of SGD by {layers} from weights of 0 follows the gradient of the valid steps"
        if name == "distributed":
            account.within(f"{text} within the bound", used(step, [Off(-w.value, w.error) for w in _gradients(account, 0.0)]))
        else:
            account.same(f"{text}, the exact one bit for bit", np.concatenate([s.ravel() for s in step]),
                         -np.concatenate([g.ravel() for g in _level(account)]))  # fmt: skip
    masked, everything = float(account["masked: reported"][0]), float(_exact(account, mask=False).value)
    account.claim("Keras divides by the number of valid steps (apply_mask in losses/loss.py): the mean over all 64 steps is another one",
                  abs(masked - everything) > 100 * float(wanted.error), masked, f"not {everything:.6g}")  # fmt: skip
    account.same("Other labels in the masked steps leave the loss as it is, bit for bit", account["other labels: loss"], masked)
    text = "Masked labels that are NaN make the loss NaN: the mask multiplies by 0"
    account.same(text, account["no labels: loss, NaN"] - account["no labels: loss"], 1.0, "limit")
    _in_batches(account, masked)


def _in_batches(account: Account, masked: float) -> None:
    labels, valid = one_hot(account.data), account.data["sequences.valid"]
    halves = (slice(HALF), slice(HALF, SEQUENCES))
    parts = [categorical(labels[h][valid[h]], account["masked: predicted"][h][valid[h]], account.rounding()) for h in halves]
    account.near(f"In two batches of {HALF} evaluate averages the batches' means by sequences, not by valid steps: a step of a shorter "
                 f"sequence counts for more, and the loss is not {masked:.6g}", account["in two batches"],
                 sum(part.loss for part in parts) / 2, sum(part.allowed for part in parts) / 2 + gamma(5) * masked, "limit")  # fmt: skip


def _large(account: Account) -> None:
    """Logits of up to 100, where the clip at 1e-7 makes a difference to a loss of probabilities."""
    y, rounding = alone(account.data)[1], account.rounding()
    inputs = {"logits": LARGE * _logits(account, "alone"), "labels": y}
    operation = "softmax_cross_entropy_with_logits"
    exact = mean(Off(account.exact(operation, inputs), allowed(account, operation, inputs))).scaled(1.0, 3)
    for name, layers in WAYS.items():
        reported, predicted = float(account[f"{name}, large: reported"][0]), account[f"{name}, large: predicted"].reshape(-1, CLASSES)
        account.within(f"At large logits the probabilities of {layers} are their softmax within its bound",
                       account.share("softmax", {"x": LARGE * _logits(account, name)}, predicted))  # fmt: skip
        recomputed = categorical(y, _steps(account, name, ", large"), rounding)
        if account.backend not in HIDDEN_LOGITS:
            audit(account, f"{layers} at large logits", reported, recomputed)
        elif name == "distributed":
            text = "There TimeDistributed adds something: it hides the logits from Keras on TensorFlow (nn.py, _get_logits), whose loss is"
            account.near(f"{text} that of probabilities clipped at 1e-7", reported, recomputed.loss, recomputed.allowed, "limit")
        else:
            text = f"There the loss of {layers} is that of the logits; its probabilities, clipped at 1e-7, give {recomputed.loss:.6g}"
            account.near(text, reported, float(exact.value), float(exact.error), "limit")


def _embedded(account: Account) -> None:
    """``mask_zero``: the loss, and the rows of the embedding after a step."""
    token, valid = account.data["sequences.token"], account.data["sequences.valid"]
    after, predicted, y = account["embedded: rows after a step"], account["embedded: predicted"], alone(account.data)[1]
    logits = rows()[token.ravel()] @ made()[0] + made()[1]
    account.within("The probabilities behind an embedding that masks token 0 are the softmax of the exact logits within its bound",
                   account.share("softmax", {"x": logits}, predicted.reshape(-1, CLASSES)))  # fmt: skip
    audit(account, "the model with that embedding, the mean over the 32 valid steps,", float(account["embedded: reported"][0]),
          categorical(y, predicted[valid], account.rounding()))  # fmt: skip
    account.same("A step of SGD leaves the row of token 0 as it is, bit for bit", after[0], rows()[0])
    slopes = categorical_slopes(account, logits[valid.ravel()], y, np.ones((len(y), 1))).scaled(1 / len(y), 4)
    kernel, chosen = made()[0].T, np.eye(len(rows()))[token[valid]]
    inner = Off(slopes.value @ kernel, slopes.error @ np.abs(kernel) + gamma(CLASSES) * (slopes.size @ np.abs(kernel)))
    gradient = backward([rows(), np.zeros(CLASSES)], [Off(chosen, np.zeros(chosen.shape))], inner)[0]
    text = "It takes the rows of the other tokens where the gradient of the valid steps does, within the bound"
    account.within(text, used([after], [Off(rows(), np.zeros(rows().shape)).plus(gradient.scaled(-1.0, 2))]))


def _states(account: Account) -> None:
    """A recurrent layer's states: those of each sequence alone, held from its last valid step on."""
    kernel, inner, bias = recurrent()
    valid, x = account.data["sequences.valid"], account.data["sequences.x"]
    wanted, state = np.zeros((SEQUENCES, STEPS, len(bias))), np.zeros((SEQUENCES, len(bias)))
    for t in range(STEPS):
        state = np.where(valid[:, t, None], np.maximum(x[:, t] @ kernel + bias + state @ inner, 0.0), state)
        wanted[:, t] = state
    text = "A recurrent layer under the mask keeps each sequence's last valid state to the end, exactly: masked steps do not touch it"
    account.same(text, account["states"], wanted)


def _dense(account: Account) -> None:
    by_step = "TimeDistributed(Dense)" if "states" in account.measured else "the layer applied to each step"
    texts = {"whole": "Dense on (batch, time, features)", "in a row": "Dense on (batch · time, features)", "by step": by_step}
    texts = {way: text for way, text in texts.items() if f"exact {way}" in account.measured}
    z = _logits(account, "masked").ravel()
    for way, layers in texts.items():
        text = f"On numbers that float32 holds {layers} gives the exact logits of each step, bit for bit"
        account.same(text, account[f"exact {way}"].ravel(), z)
    x, *weights = wide()
    wanted = Off(*dense(weights, x.reshape(-1, x.shape[-1])))
    for way, layers in texts.items():
        found, whole = account[f"wide {way}"].reshape(-1, CLASSES), account["wide whole"].reshape(-1, CLASSES)
        differ = "" if way == "whole" else f"; in {int(np.sum(found != whole))} of {whole.size} any bit differs from the first"
        account.within(f"On 64 features that round {layers} is exact within the bound{differ}", used([found], [wanted]))


def _drawn(account: Account) -> None:
    data = account.data
    valid = data["sequences.valid"].ravel()
    z, y = data["sequences.x"].reshape(-1, CLASSES) @ made()[0] + made()[1], one_hot(data).reshape(-1, CLASSES)
    losses = account.exact("softmax_cross_entropy_with_logits", {"logits": z, "labels": y})
    order = np.arange(losses.size)
    measured = float(account["masked: loss"] if "masked: loss" in account.measured else account["masked: reported"][0])
    levels = {"masked loss, measured": measured, "mean over all 64 steps": float(np.mean(losses))}
    if "in two batches" in account.measured:
        levels["in two batches, measured"] = float(account["in two batches"])
    account.figure(
        figure(
            "What counts, and what does not",
            chart("Loss of each step", Axis("step, one sequence of 4 after the other"), Axis("loss"),
                  line("valid", order[valid], losses[valid], "points"), line("masked", order[~valid], losses[~valid], "points"),
                  *(line(name, [0, losses.size - 1], [level, level], "line" if "masked" in name else "dashed")
                    for name, level in levels.items())),
            network("Network, for each step", [("features", ["x₁", "x₂", "x₃", "x₄"]), ("softmax", ["p₁", "p₂", "p₃", "p₄"])]),
        )
    )  # fmt: skip
