"""A failure as a script: a few lines that run with the framework alone and end in an assertion that fails while the fault is there."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.backends import backends
from suite.backends.base import Function, ScriptStyle, lazy
from suite.batch import PLAIN, Form
from suite.floats import hexadecimal
from suite.loading import label
from suite.model import Case, Implementation, Operation

_LAZY = type(lazy("x"))


@dataclass(frozen=True)
class Failure:
    """One wrong element of an output.

    ``arrays`` is the block of inputs by argument name, ``place`` the element's index in the output, ``got`` what came there,
    ``expected`` what should have, ``limit`` how far it may be off. ``question`` is what was asked, ``reading`` how a number was made of
    the answer: see :data:`READINGS`.
    """

    output: str
    arrays: Mapping[str, NDArray[Any]]
    place: tuple[int, ...]
    got: float
    expected: float
    limit: float
    form: Form = PLAIN
    question: str = "value"
    reading: str = "entry"

    @property
    def decisive(self) -> bool:
        """Whether the script's assertion fails on what was got."""
        if self.reading == REFUSED:
            return True
        signs = self.expected == 0 and np.signbit(self.got) != np.signbit(self.expected)
        near = self.got == self.expected or abs(self.got - self.expected) <= self.limit
        return bool(signs if self.got == self.expected else not near and not (np.isnan(self.got) and np.isnan(self.expected)))


REFUSED = "refused"
"""The function raises where it should return numbers."""

READINGS = ("entry", "sum", "along", "cotangent's entry")
"""A number of an answer: the entry at a place; of a row, the sum, the sum weighted by ``direction``, the entry where ``cotangent`` is 1."""


@cache
def adapter_source(function: Function) -> tuple[str, list[str]]:
    """The name by which a script calls an adapter, and the lines that it needs: imports, helpers' own source, and its own."""
    if function.__name__ == "<lambda>":
        return "adapter", [*_imports(function, set()), f"adapter = {ast.unparse(_lambda_of(function))}"]
    return function.__name__, [*_imports(function, set()), textwrap.dedent(inspect.getsource(function))]


def _declared_source(implementation: Implementation) -> tuple[str, list[str]]:
    """The same for a function of a user's file, which is imported from there."""
    attribute = implementation.name.removeprefix(f"{label(implementation.file)}.")
    return "adapter", ["from suite.loading import load", f"adapter = load({implementation.file!r}).{attribute}"]


def _lambda_of(function: Function) -> ast.Lambda:
    """The lambda whose body stands where the function's code says that it does."""
    module = inspect.getsourcefile(function)
    assert module is not None
    positions = set(function.__code__.co_positions())
    for node in _lambdas(module):
        body = node.body
        if (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset) in positions:
            return node
    raise LookupError(f"cannot find the source of an adapter in {module}")


@cache
def _lambdas(path: str) -> tuple[ast.Lambda, ...]:
    """Every lambda of a module."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return tuple(n for n in ast.walk(tree) if isinstance(n, ast.Lambda))


def _imports(function: Function, seen: set[str]) -> list[str]:
    lines = []
    for name in _names(function):
        thing = function.__globals__.get(name)
        if name in seen or thing is None:
            continue
        seen.add(name)
        if isinstance(thing, _LAZY):
            lines.append(f"import {thing.module_name} as {name}" if thing.module_name != name else f"import {name}")
        elif isinstance(thing, ModuleType):
            lines.append(f"import {thing.__name__} as {name}")
        elif inspect.isfunction(thing):
            lines += _imports(thing, seen)
            lines.append(textwrap.dedent(inspect.getsource(thing)))
        elif hasattr(thing, "cache_info"):
            lines += ["from functools import cache", *_imports(thing.__wrapped__, seen)]
            lines.append(textwrap.dedent(inspect.getsource(thing.__wrapped__)))
        elif isinstance(thing, (bool, int, float, str, tuple)):
            lines.append(f"{name} = {thing!r}")
    return lines


def _names(function: Function) -> list[str]:
    """Global names that the function or a function within it uses."""
    codes, names = [function.__code__], []
    while codes:
        code = codes.pop()
        names += list(code.co_names)
        codes += [c for c in code.co_consts if inspect.iscode(c)]
    return names


def script(operation: Operation, implementation: Implementation, case: Case, failure: Failure) -> str:
    """The lines. A whole block is computed, since vector kernels treat a lone element differently."""
    style = backends()[case.backend].script
    adapter, needed = _declared_source(implementation) if implementation.file else adapter_source(implementation.function)
    names = [a.name for a in operation.arguments]
    lines = ["from __future__ import annotations", *_environment(case)]
    lines += list(dict.fromkeys(["import ml_dtypes" if case.dtype == "bfloat16" else "", "import numpy as np", style.header, *needed]))
    dtype = "ml_dtypes.bfloat16" if case.dtype == "bfloat16" else f'"{case.dtype}"'
    lines += ["", "h = float.fromhex"]
    tensors = [*names, *failure.form.extra, *_BEHIND[failure.question]]
    for name in tensors:
        block = failure.arrays[name] if name in failure.arrays else np.ones(_output_shape(operation, failure))
        own = f'"{failure.form.labels}"' if name == "labels" and failure.form.labels else ""
        literal = _block_literal(block, own or (dtype if block.dtype.kind == "f" else ""))
        given = failure.form if name in names or not failure.form.view else PLAIN
        lines.append(f"{name} = {style.tensor.format(literal + _arranged(given, block))}")
    lines += ["", _definition(adapter, operation, implementation, failure.form, style)]
    asked, defined = _asked(failure, style, names)
    call = f"result = {style.modes[case.mode].format(asked)}({', '.join(tensors)})"
    if failure.reading == REFUSED:
        return "\n".join([*lines, *defined, *_refusal(call)])
    return "\n".join([*lines, *defined, call, *_assertion(failure, _read(operation, failure, style))])


def _refusal(call: str) -> list[str]:
    """The call of a function that raises, and the assertion that it does not."""
    tried = ["try:", f"    {call}", "except Exception as error:", "    refusal = f'{type(error).__name__}: {error}'"]
    return [*tried, "else:", "    refusal = ''", "assert not refusal, refusal"]


_BEHIND = {"value": (), "mapped": (), "gradient": ("cotangent",), "curvature": ("cotangent", "direction"), "tangent": ("direction",)}
"""What a question takes behind the arguments."""


def _asked(failure: Failure, style: ScriptStyle, names: list[str]) -> tuple[str, list[str]]:
    """The function that answers the question, and the lines that define it."""
    if failure.question == "value":
        return "function", []
    if failure.question == "mapped":
        return "mapped", [f"mapped = {style.mapped.format('function')}"]
    index = names.index(failure.output.split()[-1])
    if failure.question == "tangent":
        return "pushforward", [style.pushforward.format(index=index)]
    pullback = style.pullback.format(index=index)
    if failure.question == "gradient":
        return "pullback", [pullback]
    # The gradient's own gradient: the same lines once more, about the first one's function.
    return "curvature", [pullback, pullback.replace("def pullback", "def curvature").replace(" function(", " pullback(")]


def _read(operation: Operation, failure: Failure, style: ScriptStyle) -> str:
    """The number in question, of the result."""
    result = style.array.format("result")
    if failure.reading == "entry":
        return f"float({result}{''.join(f'[{i}]' for i in _place(operation, failure))})"
    row = failure.place[0]
    weights = {"along": "direction", "cotangent's entry": "cotangent"}.get(failure.reading)
    factor = f" * {style.array.format(weights)}[{row}].astype(float)" if weights else ""
    return f"float(({result}[{row}].astype(float){factor}).sum())"


def _assertion(failure: Failure, number: str) -> list[str]:
    lines = [
        f"got, expected, limit = {number}, {_number(failure.expected)}, {_number(failure.limit)}",
        "print(f'got {got!r}, expected {expected!r}, allowed error {limit!r}')",
    ]
    if failure.got == failure.expected:
        return [*lines, "assert str(got) == str(expected), 'a zero of the wrong sign'"]
    condition = "got == expected or abs(got - expected) <= limit or (got != got and expected != expected)"
    return [*lines, f"assert {condition}, 'not within the bound'"]


def _environment(case: Case) -> list[str]:
    variables = {k: v for k, v in backends()[case.backend].environment(case.device, case.dtype == "float64").items() if "LOG" not in k}
    keep = {k: v for k, v in variables.items() if k in ("KERAS_BACKEND", "JAX_ENABLE_X64", "JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES")}
    return [f"import os\nos.environ.update({keep})"] if keep else []


def _definition(adapter: str, operation: Operation, implementation: Implementation, form: Form, style: ScriptStyle) -> str:
    """``def function(names)`` that calls the adapter as the suite does."""
    names = [a.name for a in operation.arguments]
    options: dict[str, Any] = {k: v for k, v in operation.options.items() if k in implementation.accepts} | dict(form.options)
    options |= {"axis": form.axis} if form.moves_axis else {}
    keywords = [f"{n}={v!r}" for n, v in options.items()] + [f"{n}={n}" for n in form.extra]
    view = {"": "{0}", "strided": "{0}[..., ::2]", "transposed": style.transpose, "scaled": "({0} * 3.3)"}[form.view]
    return f"def function({', '.join([*names, *form.extra])}):\n    return {adapter}({', '.join([*map(view.format, names), *keywords])})\n"


def _arranged(form: Form, block: NDArray[Any]) -> str:
    """What brings an array of examples into the form's layout."""
    if form.view in ("strided", "transposed"):
        return ".repeat(2, axis=-1)" if form.view == "strided" else ".T"
    split, permutation = form.split(block.shape), form.permutation(block.ndim)
    if list(permutation) == list(range(len(split))):
        return "" if split == block.shape else f".reshape{split}"
    return ".T" if split == block.shape else f".reshape{split}.transpose{tuple(permutation)}"


def _place(operation: Operation, failure: Failure) -> tuple[int, ...]:
    """Where an element is in the form's layout."""
    of_argument = failure.question in ("gradient", "curvature")
    shape = failure.arrays[failure.output.split()[-1]].shape if of_argument else _output_shape(operation, failure)
    number = np.ravel_multi_index(failure.place, shape)
    places = failure.form.arrange(np.arange(np.prod(shape)).reshape(1, *shape))[0]
    place = tuple(int(i) for i in np.argwhere(places == number)[0])
    if of_argument and failure.form.view == "strided":
        return (*place[:-1], 2 * place[-1])
    return place[::-1] if of_argument and failure.form.view == "transposed" else place


def _output_shape(operation: Operation, failure: Failure) -> tuple[int, ...]:
    first = failure.arrays[operation.arguments[0].name].shape
    return first[:1] if operation.shape == "scalar" else first


def _block_literal(block: NDArray[Any], dtype: str) -> str:
    """An expression for the block: short where all examples are the same."""
    kind = f", {dtype}" if dtype else ""
    if not np.array_equal(block, np.broadcast_to(block[:1], block.shape), equal_nan=bool(dtype)):
        return f"np.array({_literal(block)}{kind})"
    if block.ndim == 1:
        return f"np.full({block.shape}, {_literal(block[0])}{kind})"
    return f"np.tile(np.array({_literal(block[0])}{kind}), ({len(block)}, 1))"


def _literal(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim:
        return "[" + ", ".join(_literal(v) for v in array) + "]"
    return _number(float(array)) if array.dtype.kind == "f" else repr(array.item())


def _number(value: float) -> str:
    if value != value or value in (np.inf, -np.inf):
        return f'float("{value}")'
    return repr(value) if value == int(value) and abs(value) < 1e6 else f'h("{hexadecimal(value)}")'
