"""C24: architectures as diagrams, held against what the framework builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.training import Weights, flattened
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network, numbers
from suite.floats import Floats
from suite.lab import Lab
from suite.model import Axis, Panel, Series

if TYPE_CHECKING:
    from suite.casebook.account import Account

keras = lazy("keras")

X = np.linspace(-1.5, 2.5, 33)[:, None]
"""Multiples of 1/8; weights are multiples of 1/4, so that sums of products are exact in float32, in whatever order."""


@dataclass(frozen=True)
class Architecture:
    """A network with one input: a stage for each of its layers, a number of units or an activation's name."""

    title: str
    stages: tuple[int | str, ...]
    names: tuple[tuple[str, tuple[str, ...]], ...]
    """Its diagram: layers, from the input on, and their nodes."""

    def weights(self) -> Weights:
        """Kernels of either sign, and positive biases, so that every node is on at some x."""
        made: Weights = []
        inputs = 1
        for units in self.stages:
            if isinstance(units, int):
                made += [_quarters((inputs, units)), np.abs(_quarters((units,)))]
                inputs = units
        return made

    def whole(self) -> Panel:
        """The diagram with every node."""
        return network(self.title, self.names)

    def shown(self) -> Panel:
        """The diagram, of long layers the first two nodes and the last."""
        return network(self.title, [(layer, (*nodes[:2], "…", nodes[-1]) if len(nodes) > 4 else nodes) for layer, nodes in self.names])


def _quarters(shape: tuple[int, ...]) -> Any:
    """1/4, −1/2, 3/4, −1, again and again."""
    count = np.arange(int(np.prod(shape)))
    return ((count % 4 + 1) / 4 * np.where(count % 2, -1, 1)).astype(np.float32).reshape(shape)


_INPUT, _NODES = ("input", ("x",)), tuple(f"node {i + 1}" for i in range(512))
ARCHITECTURES = {
    "line": Architecture("Straight line", (1,), (_INPUT, ("linear", ("ŷ",)))),
    "one node": Architecture("One relu node", (1, "relu"), (_INPUT, ("relu", ("ŷ",)))),
    "two nodes": Architecture("Two relu nodes", (2, "relu", 1), (_INPUT, ("relu", _NODES[:2]), ("linear", ("ŷ",)))),
    "many nodes": Architecture("512 relu nodes", (512, "relu", 1), (_INPUT, ("relu", _NODES), ("linear", ("ŷ",)))),
    "logistic": Architecture("Logistic regression", (1, "sigmoid"), (_INPUT, ("sigmoid", ("ŷ",)))),
}


def _as_layers(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """A Keras model; the number of examples, which Keras leaves open, counts as −1."""
    found: dict[str, Any] = {}
    for name, architecture in ARCHITECTURES.items():
        layers = [keras.layers.Dense(s) if isinstance(s, int) else keras.layers.Activation(s) for s in architecture.stages]
        model = keras.Sequential([keras.Input((1,)), *layers])
        model.set_weights(architecture.weights())
        found[f"{name} shapes"] = [[-1 if n is None else n for n in layer.output.shape] for layer in layers]
        found[f"{name} parameters"] = [layer.count_params() for layer in layers]
        found[f"{name} total"] = model.count_params()
        found[f"{name} output"] = model.predict(X.astype(np.float32), verbose=0)[:, 0]
        found[f"{name} gradients"] = _gradients(lab, architecture, lambda *w, model=model: model.stateless_call(list(w[:-1]), [], w[-1])[0])
    return found


def _as_functions(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    """Products, sums and activations, as they are written where there are no layers."""
    found: dict[str, Any] = {}
    for name, architecture in ARCHITECTURES.items():
        *tensors, x = (lab.backend.tensor(np.asarray(a), "float32") for a in (*architecture.weights(), X.astype(np.float32)))
        results = _stages(lab, architecture, tensors, x)
        found[f"{name} shapes"] = [list(result.shape) for result in results]
        sizes = iter([int(np.prod(t.shape)) for t in tensors])
        found[f"{name} parameters"] = [next(sizes) + next(sizes) if isinstance(s, int) else 0 for s in architecture.stages]
        found[f"{name} total"] = sum(int(np.prod(t.shape)) for t in tensors)

        def output(*w: Any, architecture: Architecture = architecture) -> Any:
            return _stages(lab, architecture, w[:-1], w[-1])[-1]

        found[f"{name} output"] = lab.values(output, *architecture.weights(), X)[:, 0]
        found[f"{name} gradients"] = _gradients(lab, architecture, output)
    return found


def _stages(lab: Lab, architecture: Architecture, weights: Any, x: Any) -> list[Any]:
    """What comes out of each stage."""
    rest, results = iter(weights), []
    for stage in architecture.stages:
        x = lab.ops.matmul(x, next(rest)) + next(rest) if isinstance(stage, int) else getattr(lab.ops, stage)(x)
        results.append(x)
    return results


def _gradients(lab: Lab, architecture: Architecture, output: Any) -> Floats:
    """Of the sum of all outputs by every weight."""
    weights = architecture.weights()
    return flattened(lab.gradients(output, *weights, X, wrt=range(len(weights))))


def _judge(account: Account) -> None:
    for name in ARCHITECTURES:
        _judge_diagram(account, name)
        _judge_output(account, name)
    account.printed("The summary of two nodes prints these numbers of parameters, layer by layer", "parameters",
                    account["two nodes parameters"])  # fmt: skip
    account.printed("In all", "total", account["two nodes total"])
    account.printed("Each of its layers gives out as many numbers for an example", "units", account["two nodes shapes"][:, 1])
    _draw(account)


def _judge_diagram(account: Account, name: str) -> None:
    """Wires are the kernels' entries; every node but the input has a bias."""
    architecture = ARCHITECTURES[name]
    title, count = architecture.title, len(architecture.whole().series[0].x) // 3
    nodes = [len(made) for _, made in architecture.names]
    biases = sum(nodes[1:])
    examples = -1 if account.backend.startswith("keras") else len(X)
    places = np.cumsum([isinstance(stage, int) for stage in architecture.stages])
    open_ = ", which Keras leaves open, −1," if examples < 0 else ""
    account.same(f"{title}: every layer's output is (examples{open_} nodes of the diagram's layer)", account[f"{name} shapes"],
                 [[examples, nodes[place]] for place in places])  # fmt: skip
    parameters = account[f"{name} parameters"]
    account.same(f"{title}: the diagram's wires and biases, {count:,} and {biases:,}, are the framework's parameters, by layer and in all",
                 [parameters.sum(), account[f"{name} total"]], [count + biases] * 2)  # fmt: skip
    slopes = account[f"{name} gradients"]
    working = int(np.sum(np.isfinite(slopes) & (slopes != 0)))
    account.claim(f"{title}: all of them are at work: the output has a gradient by each", working == slopes.size == count + biases, working,
                  count + biases)  # fmt: skip
    shapes = [f"({'None' if n < 0 else n}, {m})" for n, m in account[f"{name} shapes"].astype(int).tolist()]
    layers = ["dense" if isinstance(stage, int) else stage for stage in architecture.stages]
    rows = list(zip(layers, shapes, parameters.astype(int).tolist(), strict=True))
    account.table(f"{title}: layers as the framework has them", ["layer", "shape of its output", "parameters"], rows)


def _judge_output(account: Account, name: str) -> None:
    architecture, got = ARCHITECTURES[name], account[f"{name} output"]
    title, (value, gradients) = architecture.title, _exact(architecture)
    if architecture.names[-1][0] == "sigmoid":
        account.within(f"{title}: the output is σ(w·x + b), within the bound of a sigmoid", account.share("sigmoid", {"x": value}, got))
        return
    account.same(f"{title}: the output is what the diagram says, to the last bit, as all sums and products are exact", got, value)
    account.same(f"{title}: so are the gradients of the sum of all outputs", account[f"{name} gradients"], gradients)


def _exact(architecture: Architecture) -> tuple[Floats, Floats]:
    """What the diagram says: every layer a sum with a bias, and relu if it is named so. Outputs, and gradients of their sum."""
    weights = [w.astype(np.float64) for w in architecture.weights()]
    values: list[Floats] = [X]
    before: list[Floats] = []
    gradients: list[Floats] = []
    for (activation, _), kernel, bias in zip(architecture.names[1:], weights[::2], weights[1::2], strict=True):
        before.append(values[-1] @ kernel + bias)
        values.append(np.maximum(before[-1], 0) if activation == "relu" else before[-1])
    back = np.ones_like(before[-1])
    for i in reversed(range(len(before))):
        back = back * (before[i] > 0) if architecture.names[i + 1][0] == "relu" else back
        gradients = [values[i].T @ back, back.sum(axis=0), *gradients]
        back = back @ weights[2 * i].T
    return values[-1][:, 0], flattened(gradients)


def _draw(account: Account) -> None:
    account.figure(figure("One node: a straight line, relu, logistic regression",
                          *(ARCHITECTURES[name].shown() for name in ("line", "one node", "logistic"))))  # fmt: skip
    account.figure(figure("Two relu nodes: as nodes, and with every step", ARCHITECTURES["two nodes"].shown(), _unfolded()))
    account.figure(figure("512 relu nodes", ARCHITECTURES["many nodes"].shown()))
    outputs = [line(a.title, X[:, 0], account[f"{name} output"], "marked") for name, a in ARCHITECTURES.items() if name != "many nodes"]
    account.figure(figure("What they give out, with small weights of either sign", chart("Outputs", Axis("x"), Axis("ŷ"), *outputs)))


def _unfolded() -> Panel:
    """Two nodes with pre-activations u and activations v apart: relu joins one with one, without a weight."""
    places = {"x": (0, 0.5), "u[:, 0]": (1, 0), "u[:, 1]": (1, 1), "v[:, 0]": (2, 0), "v[:, 1]": (2, 1), "ŷ": (3, 0.5)}
    joined = ("x", "u[:, 0]"), ("x", "u[:, 1]"), ("u[:, 0]", "v[:, 0]"), ("u[:, 1]", "v[:, 1]"), ("v[:, 0]", "ŷ"), ("v[:, 1]", "ŷ")
    xs = [number for a, b in joined for number in (places[a][0], places[b][0], np.nan)]
    ys = [number for a, b in joined for number in (-places[a][1], -places[b][1], np.nan)]
    across, down = zip(*places.values(), strict=True)
    heads = ("input", "u = x·W1 + b1", "v = relu(u)", "ŷ = v·W2 + b2")
    return Panel(
        "Two relu nodes, step by step",
        (
            Series("weights", numbers(xs), numbers(ys), style="wire"),
            Series("nodes", numbers(across), numbers([-d for d in down]), style="points", texts=tuple(places)),
            Series("layers", numbers(range(4)), numbers([0.8] * 4), style="wire", texts=heads),
        ),
    )


ENTRY = Entry(
    "C24",
    "Architectures as diagrams",
    "004_78d1e29d7eb87949.txt",
    "A network's diagram says how it is built: a wire is a weight, a node a sum with a bias and an activation. Two relu nodes have 4, 0 "
    "and 3 parameters in their layers, 7 in all.",
    "The document's five networks are built in the framework. Shapes, parameters, gradients and outputs are held against the diagrams that "
    "are drawn here; the casebook's other entries draw the networks that they train.",
    {"keras": _as_layers, "": _as_functions},
    _judge,
)
