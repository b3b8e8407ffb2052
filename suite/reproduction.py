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

from suite.backends import backends
from suite.backends.base import Function, lazy
from suite.floats import hexadecimal
from suite.model import Case, Implementation, Operation

_LAZY = type(lazy("x"))


@dataclass(frozen=True)
class Failure:
    """One element of one output that is wrong: the example's inputs, where in its row, what came, what should have, how far it may be."""

    output: str
    example: Mapping[str, Any]
    place: tuple[int, ...]
    got: float
    expected: float
    limit: float
    block: tuple[int, ...]
    axis: int = -1


@cache
def call_expression(function: Function) -> tuple[str, list[str]]:
    """The expression that an adapter returns, and the lines that its names need: imports, and helpers' own source."""
    source = textwrap.dedent(inspect.getsource(function))
    expression = function.__name__
    needed: list[str] = []
    if function.__name__ == "<lambda>":
        expression = ast.unparse(_lambda_of(function, source).body)
    else:
        needed.append(source)
    return expression, [*_imports(function, set()), *needed]


def _lambda_of(function: Function, source: str) -> ast.Lambda:
    """The lambda among those on the same lines whose code is the function's."""
    lines, start = inspect.getsourcelines(function)
    module = inspect.getsourcefile(function)
    assert module is not None
    last = start + len(lines)
    found = [n for n in _lambdas(module) if start <= n.lineno <= last]
    wanted = function.__code__
    for node in found:
        arguments = [a.arg for a in node.args.args]
        constants = compile(ast.Expression(node), "<adapter>", "eval").co_consts
        compiled = next(c for c in constants if inspect.iscode(c))
        if arguments == list(wanted.co_varnames[: wanted.co_argcount]) and compiled.co_code == wanted.co_code:
            if compiled.co_names == wanted.co_names and compiled.co_consts == wanted.co_consts:
                return node
    raise LookupError(f"cannot find the source of an adapter at {module}:{start}")


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
            lines.append(f"import {thing._name} as {name}" if thing._name != name else f"import {name}")
        elif isinstance(thing, ModuleType):
            lines.append(f"import {thing.__name__} as {name}")
        elif inspect.isfunction(thing):
            lines += _imports(thing, seen)
            lines.append(textwrap.dedent(inspect.getsource(thing)))
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
    """The lines. Every example of the block is the failing one, since vector kernels treat a lone element differently."""
    style = backends()[case.backend].script
    expression, needed = call_expression(implementation.function)
    names = [a.name for a in operation.arguments]
    extra = [n for n in ("where", "b") if n in failure.example and n not in names]
    lines = _environment(case)
    lines += list(dict.fromkeys(["import ml_dtypes" if case.dtype == "bfloat16" else "", "import numpy as np", style.header, *needed]))
    dtype = "ml_dtypes.bfloat16" if case.dtype == "bfloat16" else f'"{case.dtype}"'
    lines += ["", "h = float.fromhex"]
    tensors = [*names, *extra, *(["cotangent"] if failure.output != "value" else [])]
    for name in tensors:
        value = failure.example.get(name, 1.0)
        literal = _literal(value)
        is_float = np.asarray(value).dtype.kind == "f"
        filled = _filled(literal, value, failure, dtype if is_float else None)
        lines.append(f"{name} = {style.tensor.format(filled + '.T' if failure.axis == 0 and np.ndim(value) else filled)}")
    lines += ["", _definition(implementation, operation, names, extra, expression, failure.axis)]
    if failure.output == "value":
        lines.append(f"result = {style.modes[case.mode].format('function')}({', '.join(tensors)})")
    else:
        lines.append(style.pullback.format(index=names.index(failure.output.removeprefix("d "))))
        lines.append(f"result = {style.modes[case.mode].format('pullback')}({', '.join(tensors)})")
    place = "".join(f"[{i}]" for i in ((*failure.place, 0) if failure.axis == 0 else (0, *failure.place)))
    lines += [
        f"got, exact, limit = float({style.array.format('result')}{place}), {_number(failure.expected)}, {_number(failure.limit)}",
        "print(f'got {got!r}, exact {exact!r}, allowed error {limit!r}')",
        "assert got == exact or abs(got - exact) <= limit or (got != got and exact != exact), 'not within the bound'",
    ]
    return "\n".join(line for line in lines if line is not None)


def _environment(case: Case) -> list[str]:
    variables = {k: v for k, v in backends()[case.backend].environment(case.device, case.dtype == "float64").items() if "LOG" not in k}
    keep = {k: v for k, v in variables.items() if k in ("KERAS_BACKEND", "JAX_ENABLE_X64", "JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES")}
    return [f"import os\nos.environ.update({keep})"] if keep else []


def _definition(
    implementation: Implementation, operation: Operation, names: list[str], extra: list[str], expression: str, axis: int
) -> str:
    """``def function(names)`` that calls the adapter's expression under the adapter's own parameter names."""
    code = implementation.function.__code__
    parameters = list(code.co_varnames[: code.co_argcount])
    defaults = implementation.function.__defaults__ or ()
    options: dict[str, Any] = dict(zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True)) | dict(operation.options)
    options |= {"axis": 0} if axis == 0 else {}
    given = {**{n: repr(v) for n, v in options.items()}, **{n: n for n in extra}}
    renamed = dict(zip(parameters[: len(names)], names, strict=True))
    if expression == implementation.function.__name__:
        keywords = "".join(f", {n}={v}" for n, v in given.items() if n in parameters)
        return f"def function({', '.join([*names, *extra])}):\n    return {expression}({', '.join(names)}{keywords})\n"
    assigned = [f"    {p} = {n}" for p, n in renamed.items() if p != n]
    assigned += [f"    {n} = {v}" for n, v in given.items() if n in parameters and n != v]
    return "\n".join([f"def function({', '.join([*names, *extra])}):", *assigned, f"    return {expression}", ""])


def _filled(literal: str, value: Any, failure: Failure, dtype: str | None) -> str:
    shape = (failure.block[0], *np.shape(value))
    kind = f", {dtype}" if dtype else ""
    return f"np.full({shape}, {literal}{kind})" if np.ndim(value) == 0 else f"np.tile(np.array({literal}{kind}), ({shape[0]}, 1))"


def _literal(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim:
        return "[" + ", ".join(_literal(v) for v in array) + "]"
    return _number(float(array)) if array.dtype.kind == "f" else repr(array.item())


def _number(value: float) -> str:
    if value != value or value in (np.inf, -np.inf):
        return f'float("{value}")'
    return repr(value) if value == int(value) and abs(value) < 1e6 else f'h("{hexadecimal(value)}")'
