"""C9: a network's probability as a confidence, before and after calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suite.backends.base import lazy
from suite.backends.keras import sequential
from suite.backends.training import Dense, Training, Weights, flattened, forward, glorot
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

LAYERS = (Dense(64, "relu"), Dense(64, "relu"), Dense(2))
TRAINED, STEPS, RATE, HELD_OUT, BINS = 100, 500, 0.01, 4000, 15
"""The first 100 points of the data are trained on, the other 500 are there to find the temperature."""


def start() -> Weights:
    """Kernels as Glorot and Bengio have them, biases 0."""
    random, made, inputs = np.random.RandomState(0), [], 2
    for layer in LAYERS:
        made += [glorot(random, inputs, layer.units).astype(np.float32), np.zeros(layer.units, np.float32)]
        inputs = layer.units
    return made


def held_out() -> tuple[Floats, NDArray[Any]]:
    """Further points of the same two clouds, and their classes."""
    random, y = np.random.RandomState(8), np.arange(HELD_OUT) % 2
    return _single(random.normal(size=(HELD_OUT, 2)) + np.where(y[:, None] == 1, 1.0, -1.0)), y


def _single(x: NDArray[Any]) -> Floats:
    """As float32, which the networks take."""
    return x.astype(np.float32).astype(np.float64)


def log_likelihoods(logits: Floats, y: NDArray[Any], scale: float = 1.0) -> Floats:
    """Negative, in float64, of each example's class, with all logits multiplied."""
    z = scale * logits
    top = z.max(axis=-1)
    return np.asarray(top + np.log(np.exp(z - top[:, None]).sum(axis=-1)) - z[np.arange(len(y)), y])


def temperature(logits: Floats, y: NDArray[Any]) -> float:
    """The T that makes the mean of :func:`log_likelihoods` of logits/T least: it is convex in 1/T, and its slope there is halved in."""
    low, high = 1e-4, 1e4
    for _ in range(100):
        scale = float(np.sqrt(low * high))
        p = np.exp(scale * (logits - logits.max(axis=-1, keepdims=True)))
        p /= p.sum(axis=-1, keepdims=True)
        slope = float(np.mean((p * logits).sum(axis=-1) - logits[np.arange(len(y)), y]))
        low, high = (low, scale) if slope > 0 else (scale, high)
    return float(np.float32(1 / np.sqrt(low * high)))


def _by_name(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """Keras' own loss and ``predict``; and what the answers say of a head with one sigmoid."""

    def logits(weights: Weights, x: Any) -> Any:
        return sequential(LAYERS, 2, weights).predict(x.astype(np.float32), batch_size=len(x), verbose=0)

    found = _measured(lab, data, keras.losses.CategoricalCrossentropy(from_logits=True), logits)
    head = sequential((Dense(1, "sigmoid"),), 2, [np.ones((2, 1)), np.zeros(1)])
    found["one sigmoid"] = head.predict(np.array([[0.5, 0.25]], np.float32), verbose=0)
    found["removed"] = [hasattr(head, name) for name in ("predict_proba", "predict_classes")]
    return found


def _by_function(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    losses = lab.function("softmax_cross_entropy_with_logits")
    return _measured(lab, data, lambda y, z: lab.ops.mean(losses(z, y)),
                     lambda weights, x: lab.values(lambda x, *w: forward(lab.ops, LAYERS, w, x), x, *weights))  # fmt: skip


def _measured(lab: Lab, data: Arrays, loss: Any, logits: Any) -> dict[str, Any]:
    x, y = _single(data["overlapping.x"]), data["overlapping.y"]
    done = lab.train(Training(LAYERS, loss, "adam", RATE, STEPS, STEPS), start(), x[:TRAINED], np.eye(2)[y[:TRAINED]])
    weights = [w.astype(np.float32) for w in done.weights]
    other, labels = held_out()
    tuned, fresh = (np.asarray(logits(weights, points), dtype=np.float64) for points in (x[TRAINED:], other))
    found = {"weights": flattened(done.weights), "reported": done.reported, "trained logits": done.predicted, "tuned logits": tuned,
             "logits": fresh, "temperature": temperature(tuned, y[TRAINED:])}  # fmt: skip
    soft, losses = lab.function("softmax"), lab.function("softmax_cross_entropy_with_logits")
    found["scaled logits"] = lab.values(lambda z, t: z / t, fresh, np.full((1, 1), found["temperature"]))
    for name in ("logits", "scaled logits"):
        found[f"{name} probabilities"] = lab.values(soft, found[name])
        found[f"{name} losses"] = lab.values(losses, found[name], np.eye(2)[labels])
    return found


@dataclass(frozen=True)
class Reliability:
    """The examples by confidence, in bins of equal width: their share, their mean confidence, the share that is right."""

    share: Floats
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: Guo, Pleiss, Sun & Weinberger (ICML 2017), equation 3, with their 15 bins."""
        held = self.share > 0
        return float(np.sum(self.share[held] * np.abs(self.accuracy[held] - self.confidence[held])))


def _reliability(probabilities: Floats, y: NDArray[Any]) -> Reliability:
    """Bins are (m/15, (m + 1)/15]."""
    confidence, right = probabilities.max(axis=-1), probabilities.argmax(axis=-1) == y
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    means = [np.bincount(place, weights, BINS) / np.where(counts, counts, np.nan) for weights in (confidence, right.astype(np.float64))]
    return Reliability(counts / len(y), *means)


def _judge(account: Account) -> None:
    _judge_training(account)
    _judge_computed(account)
    (_, y), before, after = held_out(), account["logits probabilities"], account["scaled logits probabilities"]
    found = [_reliability(p, y) for p in (before, after)]
    likelihoods = [float(np.mean(account[f"{name} losses"])) for name in ("logits", "scaled logits")]
    errors = [each.error for each in found]
    confidence, accuracy = float(before.max(axis=-1).mean()), float(np.mean(before.argmax(axis=-1) == y))
    account.claim(f"The softmax is a poor confidence: on {HELD_OUT:,} held-out points it is {confidence:.3f} on average, while "
                  f"{accuracy:.3f} are right; the difference", confidence - accuracy > 0.05, confidence - accuracy, "> 0.05")  # fmt: skip
    account.same("Temperature scaling leaves the arg-max at every held-out point", after.argmax(axis=-1), before.argmax(axis=-1))
    account.claim("It lowers the mean negative log-likelihood of the held-out points to less than a third",
                  likelihoods[1] < likelihoods[0] / 3, likelihoods[1], f"< {likelihoods[0]:.4g} / 3")  # fmt: skip
    account.claim("It lowers the expected calibration error (15 bins of equal width) to less than a third",
                  errors[1] < errors[0] / 3, errors[1], f"< {errors[0]:.4g} / 3")  # fmt: skip
    x = held_out()[0]
    truth = np.stack([np.zeros(HELD_OUT), 2 * x.sum(axis=-1)], axis=-1)
    least = float(np.mean(log_likelihoods(truth, y)))
    account.claim("It does not make up for what was not learnt: the true probabilities, σ(2(x1 + x2)), have a lower one still",
                  least < likelihoods[1], least, f"< {likelihoods[1]:.4g}")  # fmt: skip
    p = np.exp(-log_likelihoods(truth, np.ones(HELD_OUT, dtype=int)))
    honest = _reliability(np.stack([1 - p, p], axis=-1), y)
    rows = [["softmax(logits)", likelihoods[0], errors[0], accuracy], ["softmax(logits/T)", likelihoods[1], errors[1], accuracy],
            ["true probabilities", least, honest.error, float(np.mean((p > 0.5) == y))]]  # fmt: skip
    account.table(f"Held-out points, T = {float(account['temperature']):.4g}", ["confidence", "mean negative log-likelihood",
                  "expected calibration error", "share that is right"], rows)  # fmt: skip
    if "removed" in account.measured:
        _judge_api(account)
    _draw(account, found)


def _judge_training(account: Account) -> None:
    """Of the loss at the end: the logits that ``predict`` returns, and those inside the loss, are off by ``moved`` at most, each."""
    from suite.operations import operations

    x, y = _single(account.data["overlapping.x"])[:TRAINED], account.data["overlapping.y"][:TRAINED]
    exact, moved = _outputs(account["weights"], x)
    got, rounding = account["trained logits"], account.rounding("float32")
    account.within("The logits are those of the weights, but for the rounding of each layer's products and sums",
                   float(np.max(np.abs(got - exact) / moved)))  # fmt: skip
    losses = log_likelihoods(got, y)
    own = np.asarray(operations()["softmax_cross_entropy_with_logits"].bound({"logits": got, "labels": np.eye(2)[y]}, losses, rounding))
    off = 2 * moved.max(axis=-1)
    steep = 2 * off * np.minimum(-np.expm1(-losses) * np.exp(2 * off), 1.0)
    again = float(np.mean(losses))
    error = float(np.mean(own + steep)) + (TRAINED + 1) * rounding.u * (again + float(np.mean(own + steep)))
    account.near("The loss reported is that of its logits, but for the rounding of both, of the losses and their mean", account["reported"],
                 again, error)  # fmt: skip
    fresh = float(np.mean(account["logits losses"]))
    account.claim("The network overfits: the loss on its 100 points is less than a hundredth of that on held-out points",
                  float(account["reported"]) < fresh / 100, account["reported"], f"< {fresh:.4g} / 100")  # fmt: skip


def _outputs(weights: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Logits in float64 from a row of all weights, and how far float32's may be off: a layer's error goes through the next's weights."""
    u, value, error, at = FORMATS["float32"].u, x, np.zeros_like(x), 0
    for layer in LAYERS:
        inputs = value.shape[-1]
        kernel = weights[at : at + inputs * layer.units].reshape(inputs, layer.units)
        bias = weights[at + inputs * layer.units :][: layer.units]
        at += (inputs + 1) * layer.units
        sizes = (np.abs(value) + error) @ np.abs(kernel) + np.abs(bias)
        value, error = value @ kernel + bias, error @ np.abs(kernel) + np.expm1((inputs + 1) * u) * sizes
        value = np.maximum(value, 0) if layer.activation == "relu" else value
    return value, error


def _judge_computed(account: Account) -> None:
    """Confidences and losses are the framework's own; the temperature is found in float64."""
    y, u = held_out()[1], FORMATS["float32"].u
    for name in ("logits", "scaled logits"):
        z, labels = account[name], np.eye(2)[y]
        account.within(f"Softmax of the {name} is within its bound", account.share("softmax", {"x": z}, account[f"{name} probabilities"]))
        account.within(f"The losses of the {name} are within theirs", account.share("softmax_cross_entropy_with_logits",
                       {"logits": z, "labels": labels}, account[f"{name} losses"]))  # fmt: skip
    for name, x in (("tuned logits", _single(account.data["overlapping.x"])[TRAINED:]), ("logits", held_out()[0])):
        exact, moved = _outputs(account["weights"], x)
        share = float(np.max(np.abs(account[name] - exact) / moved))
        account.within(f"The logits of {len(x):,} points are those of the weights, likewise", share)
    found, z = float(account["temperature"]), account["tuned logits"]
    labels = account.data["overlapping.y"][TRAINED:]
    least, *others = (float(np.mean(log_likelihoods(z, labels, 1 / (found * factor)))) for factor in (1.0, 0.99, 1.01))
    account.claim("On the 500 points for it no temperature 1 % away is better (it is convex in 1/T, so none is)",
                  least < min(others), found)  # fmt: skip
    account.claim("The network is overconfident: its logits have to be divided by more than 2", found > 2, found, "> 2")
    scaled = account["logits"] / found
    off = np.abs(account["scaled logits"] / scaled - 1)
    account.claim("The scaled logits are logits/T, but for the rounding of a quotient, or of a reciprocal and a product, as XLA has it",
                  bool(np.all(off <= np.expm1(2 * u))), float(off.max()), f"≤ {2 * u:.3g}")  # fmt: skip


def _judge_api(account: Account) -> None:
    one = account["one sigmoid"]
    exact = account.exact("sigmoid", {"x": np.array([0.75])})
    share = account.share("sigmoid", {"x": np.array([0.75])}, one.ravel())
    account.limit("predict() of a head with one sigmoid returns one number for an example, the probability of class 1, not two that add up "
                  "to 1 as an answer says", one.shape == (1, 1) and share <= 1, one, exact)  # fmt: skip
    account.same("predict_proba and predict_classes, which the question calls, are no longer there: predict() is", account["removed"],
                 [0, 0], "limit")  # fmt: skip


def _draw(account: Account, found: list[Reliability]) -> None:
    z, y, best = account["tuned logits"], account.data["overlapping.y"][TRAINED:], float(account["temperature"])
    diagonal = line("confidence = accuracy", [0.5, 1.0], [0.5, 1.0], "dashed")
    panels = []
    for title, each in zip(("softmax(logits)", "softmax(logits/T)"), found, strict=True):
        held = each.share > 0
        panels.append(chart(title, Axis("mean confidence"), Axis("share that is right"), diagonal,
                            line("bins", each.confidence[held], each.accuracy[held], "marked")))  # fmt: skip
    middles = (np.arange(BINS) + 0.5) / BINS
    shares = [
        line(name, middles[BINS // 2 :], each.share[BINS // 2 :], "marked") for name, each in zip(("before", "after"), found, strict=True)
    ]
    account.figure(figure("Reliability on held-out points, before and after temperature scaling", *panels,
                          chart("Points by confidence", Axis("confidence"), Axis("share of points"), *shares)))  # fmt: skip
    temperatures = np.geomspace(0.5, 100, 60)
    curve = [float(np.mean(log_likelihoods(z, y, 1 / t))) for t in temperatures]
    lowest = float(np.mean(log_likelihoods(z, y, 1 / best)))
    nodes = ("node 1", "node 2", "…", "node 64")
    account.figure(
        figure(
            "The temperature is found on points that were not trained on",
            chart("Mean negative log-likelihood", Axis("temperature", log=True), Axis("nats"), line("500 points", temperatures, curve),
                  line("least", [best], [lowest], "points")),
            network("Network", [("input", ["x1", "x2"]), ("relu", nodes), ("relu", nodes), ("linear, softmax", ["class 0", "class 1"])]),
        )
    )  # fmt: skip


ENTRY = Entry(
    "C9",
    "Probabilities as confidences, and their calibration",
    "002_fd96f1392fe2ebc9.txt",
    "The probability that a classifier gives its class can be read as its confidence, but the softmax of a trained network is a poor one. "
    "Calibration helps: dividing the logits by one number, fitted on other data, leaves every decision as it is.",
    "A 2-64-64-2 relu network, trained on 100 points of two overlapping clouds until it knows them by heart; the temperature is the one of "
    "least negative log-likelihood on 500 others; both are judged on 4,000 more. The expected calibration error is that of Guo et al. "
    "(2017): 15 bins of equal width, the mean of |accuracy − confidence| over the points.",
    {"keras": _by_name, "": _by_function},
    _judge,
    data=("overlapping",),
)
