"""Packaging's lists, and what the README says of them, agree with the code."""

from __future__ import annotations

import configparser
import re
import tomllib
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from suite import plugin
from suite.backends import backends
from suite.cases import PROFILES

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]
GENERATED = ("reports/results/", "reports/sweeps/", "reports/html/")


def expanded(name: str) -> list[str]:
    """A tox section's generative name as all the names that it stands for."""
    parts = [part.split(",") for part in re.split(r"[{}]", name)]
    return ["".join(chosen) for chosen in product(*parts)]


def tox() -> configparser.ConfigParser:
    """The file as it is written."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def environments() -> dict[str, configparser.SectionProxy]:
    """Every tox environment with its section."""
    parser = tox()
    sections = [s for s in parser.sections() if s.startswith("testenv:")]
    return {name: parser[s] for s in sections for name in expanded(s.removeprefix("testenv:"))}


def setting(environment: str, key: str) -> list[str]:
    """The values of a setting whose conditions, ``a-!b: value``, hold for an environment's factors."""
    factors = environment.split("-")
    lines = [line.partition(": ") for line in environments()[environment][key].strip().splitlines()]
    return [value for condition, _, value in lines if all((f.strip("!") in factors) != f.startswith("!") for f in condition.split("-"))]


def pythons() -> list[str]:
    """The versions that the package claims to run on."""
    prefix = "Programming Language :: Python :: 3."
    return [c.removeprefix(prefix) for c in PYPROJECT["project"]["classifiers"] if c.startswith(prefix)]


def blocks(language: str) -> list[str]:
    """The README's code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_every_backend_has_an_extra() -> None:
    """And every extra but ``all`` a backend."""
    assert sorted(EXTRAS) == sorted([*backends(), "all"])


def test_the_extra_all_is_all_of_them() -> None:
    """It names every backend's extra."""
    (requirement,) = EXTRAS["all"]
    assert sorted(requirement.removeprefix("logitbench[").removesuffix("]").split(",")) == sorted(backends())


@pytest.mark.parametrize("python", ["", *(f"py3{minor}-" for minor in pythons())])
@pytest.mark.parametrize("backend", backends())
def test_every_backend_has_a_tox_environment_on_every_python(backend: str, python: str) -> None:
    """It installs that backend's extra alone and runs that backend alone."""
    assert setting(f"{python}{backend}", "extras") == [backend]
    (command,) = setting(f"{python}{backend}", "commands")
    assert f"--backend {backend} " in command


def test_the_main_job_tries_every_backend() -> None:
    """All together, then each by itself, so that one that cannot be installed takes no other with it."""
    lines = environments()["report"]["extra_setup_commands"].strip().splitlines()
    assert [line.rpartition(" --extra ")[2] for line in lines] == ["all", *(e for e in EXTRAS if e != "all")]
    assert all(line.startswith("- ") for line in lines)


def test_python_versions_agree() -> None:
    """The lowest is what the package requires; mypy and ruff take it too; the README lists them."""
    versions = [f"3.{minor}" for minor in pythons()]
    assert PYPROJECT["project"]["requires-python"] == f">={versions[0]}"
    assert PYPROJECT["tool"]["mypy"]["python_version"] == versions[0]
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{versions[0].replace('.', '')}"
    assert f"| Python | {', '.join(versions)} |" in README


@pytest.mark.parametrize(("name", "distribution"), [("TensorFlow", "tensorflow"), ("Keras", "keras"), ("JAX", "jax")])
def test_the_lowest_releases_agree(name: str, distribution: str) -> None:
    """The README's table and every extra that has the framework."""
    lowest = {line for extra in EXTRAS.values() for line in extra if re.match(rf"{distribution}\b(?!-)", line)}
    (requirement,) = lowest
    assert f"| {name} | {requirement.partition('>=')[2]} or later" in README


def test_the_readme_names_environments_that_exist() -> None:
    """Every ``tox -e NAME``, and what ``tox`` alone runs."""
    named = set(re.findall(r"tox -e ([\w-]+)", README))
    assert {"report", "bench"} <= named <= set(environments())
    assert all(f"`{name.strip()}`" in README for name in tox()["tox"]["env_list"].split(","))


def test_ci_runs_what_the_readme_says() -> None:
    """The same two commands."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = ("pip install tox$", "tox$", "tox -e report")
    assert all(re.search(rf"^step python -m {command}", script, re.MULTILINE) for command in commands)


def test_the_readme_explains_every_option() -> None:
    """Each has a row in the table."""
    parser = Mock()
    plugin.pytest_addoption(parser)
    names = [call.args[0] for call in parser.getgroup.return_value.addoption.call_args_list]
    assert names
    assert [name for name in names if f"| `{name}" not in README] == []


def test_the_readme_names_every_profile() -> None:
    """And every family's mark."""
    assert [name for name in (*PROFILES, *plugin.FAMILIES) if f"`{name}`" not in README] == []


def test_the_readme_names_files_that_exist() -> None:
    """Paths in code spans and links, but for what a run generates."""
    named = re.findall(r"[`(]((?:suite|fixtures|reports|\.ci)/[\w./-]*|[\w-]+\.(?:md|py|toml|ini))[`)]", README)
    assert [path for path in named if not path.startswith(GENERATED) and not (ROOT / path).exists()] == []


def test_the_readme_s_code_is_python_and_toml() -> None:
    """Rows of a table stand in brackets, everything else by itself."""
    for block in blocks("python"):
        compile(f"(\n{block})" if block.rstrip().endswith(",") else block, "README.md", "exec")
    assert all(tomllib.loads(block)["limitation"] for block in blocks("toml"))


def test_what_reports_are_made_of_is_packaged() -> None:
    """Templates, scripts, styles and the schema are installed with the code that reads them."""
    reports = ROOT / "reports"
    # In pathlib ** stands for folders alone before Python 3.13; setuptools takes files for it, too.
    patterns = [pattern.replace("**", "**/*") for pattern in PYPROJECT["tool"]["setuptools"]["package-data"]["reports"]]
    packaged = {p for pattern in patterns for p in reports.glob(pattern)}
    needed = {p for folder in ("templates", "static") for p in (reports / folder).rglob("*") if p.is_file()}
    assert needed | {reports / "results.schema.json"} <= packaged
