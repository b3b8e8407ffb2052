"""The recipes: CI files and the README's blocks say what exists."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from reports import __main__ as reports
from suite import compare, plugin, sweep
from suite.backends.base import Backend
from suite.meta.test_packaging import EXTRAS, blocks

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPES = sorted((ROOT / ".ci" / "recipes").glob("*.yml"))
OTHERS = {"-m", "-n", "-k", "--dist", "--junitxml", "--hypothesis-profile", "--hypothesis-seed"}
"""Options of pytest and of its plugins."""


def texts(data: Any) -> list[str]:
    """Every text in a file."""
    if isinstance(data, dict):
        return [text for value in data.values() for text in texts(value)]
    return [text for value in data for text in texts(value)] if isinstance(data, list) else [str(data)]


def commands(path: Path) -> list[list[str]]:
    """Every ``python -m …`` of a recipe, without redirections; what a variable holds counts as one word."""
    text = "\n".join(texts(yaml.safe_load(path.read_text(encoding="utf-8"))))
    lines = re.findall(r"python -m (?:pytest|suite|reports).*", re.sub(r"\$\{\{.*?\}\}", "quick", text))
    return [shlex.split(line.partition(">")[0])[2:] for line in lines]


def own_options() -> set[str]:
    """Those that the plugin adds to pytest's."""
    parser = Mock()
    plugin.pytest_addoption(parser)
    return {call.args[0] for call in parser.getgroup.return_value.addoption.call_args_list}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_does_what_the_readme_says(path: Path) -> None:
    """Checks, a summary, a sweep, a comparison; caches and artifacts."""
    assert {command[0] for command in commands(path)} == {"pytest", "reports", "suite.sweep", "suite.compare"}
    text = path.read_text(encoding="utf-8")
    assert all(name in text for name in ("JAX_COMPILATION_CACHE_DIR", ".hypothesis", "--history=", "--report-single-file", "junit.xml"))
    assert set(re.findall(r"\.\[([\w-]+)\]", text)) <= set(EXTRAS)


@pytest.mark.parametrize("command", [c for path in RECIPES for c in commands(path)], ids=" ".join)
def test_its_commands_exist(command: list[str]) -> None:
    """With every option."""
    module, *arguments = command
    if module == "pytest":
        given = {word.partition("=")[0] for word in arguments if word.startswith("-")}
        assert given <= own_options() | OTHERS
        return
    parsers = {"suite.sweep": sweep.parser, "suite.compare": compare.parser, "reports": reports.parser}
    parsers[module]().parse_args(arguments)


def test_the_readme_s_backend_has_every_member() -> None:
    """Of the protocol, and no other."""
    (block,) = (b for b in blocks("python") if "class TorchBackend" in b)
    defined = {node.name: node for node in ast.parse(block).body if isinstance(node, ast.ClassDef)}["TorchBackend"].body
    names = {node.name for node in defined if isinstance(node, ast.FunctionDef)}
    names |= {node.targets[0].id for node in defined if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    names |= {node.target.id for node in defined if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    assert names == {name for name in {*vars(Backend), *Backend.__annotations__} if not name.startswith("_")}
