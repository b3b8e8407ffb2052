"""What the command line selects: the options, read and checked; a wrong one is a usage error that says what is known."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis.errors import InvalidArgument

from suite.backends import backends
from suite.baselines import BASELINES
from suite.cases import PROFILES
from suite.commandline import positive, unknown
from suite.floats import FORMATS
from suite.model import Case
from suite.operations import operations

DEVICES = ("cpu", "gpu")
EXITS = """exit codes: 0, everything holds or fails as known; 1, something fails, or a backend asked for by name is absent;
2, interrupted; 3, internal error; 4, unusable options or files, or nothing fits them; 5, -m, -k or --deselect leave nothing"""


@dataclass(frozen=True)
class Selection:
    """What the options select; ``declared`` where there are ``--implementations``, which are few and asked for by name."""

    backends: tuple[tuple[str, str], ...]
    operations: tuple[str, ...]
    dtypes: tuple[str, ...]
    declared: bool = False

    @property
    def narrow(self) -> bool:
        """Whether single cases are asked for, so that a profile must not leave any of them out."""
        return bool(self.declared or self.operations or self.dtypes or any(mode for _, mode in self.backends))

    def __contains__(self, case: Case) -> bool:
        named = not self.backends or any(case.backend == b and mode in ("", case.mode) for b, mode in self.backends)
        return named and (not self.operations or case.operation in self.operations) and (not self.dtypes or case.dtype in self.dtypes)


def add_options(parser: pytest.Parser) -> None:
    """The suite's options; every one may be repeated or take a list with commas."""
    group = parser.getgroup("logitbench", f"logitbench: what is checked and timed (lists take commas, options may be repeated)\n{EXITS}")
    group.addoption(
        "--backend",
        action="append",
        metavar="NAME[:MODE]",
        help=f"backends to run, each perhaps in one mode: jax:jit; of {', '.join(backends())} (default: all that are installed)",
    )
    group.addoption("--operation", action="append", metavar="NAME", help="operations to run: sigmoid,softmax (default: all)")
    group.addoption("--dtype", action="append", metavar="NAME", help=f"dtypes to run, of {', '.join(FORMATS)} (default: all)")
    group.addoption(
        "--implementations",
        action="append",
        metavar="FILE",
        help="check the functions that a file declares with @implements, and nothing else: --implementations=my_losses.py",
    )
    group.addoption("--device", default="cpu", metavar="NAME", help="the device that every backend runs on: cpu or gpu (default: cpu)")
    group.addoption("--report", metavar="DIR", help="directory for results/ and html/, with =: --report=DIR (default: reports)")
    group.addoption("--report-single-file", action="store_true", help="write the report as one file as well: html/report.html")
    group.addoption("--no-report", action="store_true", help="write no results and no report")
    group.addoption("--history", metavar="DIR", help="keep this run's results there, and draw those of all runs kept there over time")
    group.addoption("--baselines", default=str(BASELINES), metavar="DIR", help="accuracy baselines to hold against (default: %(default)s)")
    group.addoption("--all-workloads", action="store_true", help="time every implementation on every workload, not a representative part")
    group.addoption(
        "--time-limit", type=positive, default=300.0, metavar="SECONDS", help="longest wait for one answer of a framework (default: 300)"
    )
    group.addoption(
        "--memory-limit",
        type=positive,
        metavar="GIB",
        help="most memory for a framework's process, in GiB (default: half of what there is, but at least 2)",
    )


def listed(config: pytest.Config, option: str) -> list[str]:
    """What an option has been given, its lists and repetitions in one."""
    return [part.strip() for value in config.getoption(option) or [] for part in value.split(",")]


def selection(config: pytest.Config) -> Selection:
    """Which backends, operations and dtypes are asked for."""
    pairs = []
    for part in listed(config, "backend"):
        name, _, mode = part.partition(":")
        if name not in backends():
            raise pytest.UsageError(f"--backend: {unknown(name, backends())}")
        if mode and mode not in backends()[name].modes:
            raise pytest.UsageError(f"--backend: {name} has no mode {mode!r}; it has {', '.join(backends()[name].modes)}")
        pairs.append((name, mode))
    named = (_names(config, "operation", list(operations())), _names(config, "dtype", list(FORMATS)))
    return Selection(tuple(pairs), *named, declared=bool(config.getoption("implementations")))


def _names(config: pytest.Config, option: str, known: list[str]) -> tuple[str, ...]:
    given = listed(config, option)
    for name in given:
        if name not in known:
            raise pytest.UsageError(f"--{option}: {unknown(name, known)}")
    return tuple(given)


def device(config: pytest.Config) -> str:
    """The device that every backend runs on."""
    name: str = config.getoption("device")
    if name not in DEVICES:
        raise pytest.UsageError(f"--device: {unknown(name, DEVICES)}")
    return name


def known_profile(config: pytest.Config) -> None:
    """Hypothesis would raise, where others say what is known."""
    name = config.getoption("hypothesis_profile", None)
    try:
        settings.get_profile(name or "quick")
    except InvalidArgument as error:
        raise pytest.UsageError(f"--hypothesis-profile: {unknown(name, PROFILES)}") from error


def profile_name(config: pytest.Config) -> str:
    """The profile by Hypothesis' option of that name; one that is not the suite's leaves the default."""
    name = config.getoption("hypothesis_profile", None) or "quick"
    return name if name in PROFILES else "quick"


def seed(config: pytest.Config) -> int:
    """The seed of the generated inputs: as given, or a new one."""
    given = config.getoption("hypothesis_seed", None)
    if given is None:
        return random.SystemRandom().randrange(2**32)
    if not str(given).isdigit():
        raise pytest.UsageError(f"--hypothesis-seed: {given!r} is not allowed here; give a whole number, so that a run can be replayed")
    return int(given)
