"""The two things that are compared: how each is made or found, and which backends that concerns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from suite import custom, environments, watch
from suite.backends import backends
from suite.loading import Declared, handed_over
from suite.model import Case, Implementation, Side
from suite.processes import Processes


class SideError(Exception):
    """One of the two cannot be had; the text names the option and says why."""


@dataclass(frozen=True)
class Prepared:
    """A side, how its processes are started, and what it declares."""

    side: Side
    launch: Callable[[], Processes]
    declared: tuple[Declared, ...] = ()

    @property
    def implementations(self) -> tuple[Implementation, ...]:
        """Those that are declared."""
        return tuple(custom.implementation(d) for d in self.declared)


def prepare(name: Literal["old", "new"], wanted: str, options: argparse.Namespace, log: Callable[[str], None]) -> Prepared:
    """Makes the environment, or reads the file.

    Raises:
        SideError: it cannot be made, or read.
    """
    limits: dict[str, Any] = {"time_limit": options.time_limit, "memory_limit": watch.bytes_of(options.memory_limit)}
    if wanted.endswith(".py"):
        try:
            declared = custom.read_all([wanted], options.time_limit)
        except custom.DeclarationError as error:
            raise SideError(f"--{name}: {error}") from error
        variables = handed_over(declared)
        return Prepared(Side(name, wanted, sys.executable), lambda: Processes(options.device, variables=variables, **limits), declared)
    try:
        made = environments.make(wanted, options.python, log=log)
    except environments.EnvironmentsError as error:
        raise SideError(f"--{name}: {error}") from error
    side = Side(name, wanted, made.python, made.versions)
    return Prepared(side, lambda: Processes(options.device, python=made.python, **limits))


def twins(old: Prepared, new: Prepared) -> dict[tuple[str, str, str], Implementation]:
    """The new side's declared implementations by the names of the old side's: those of the same function for the same thing.

    Raises:
        SideError: the files declare different things.
    """
    found = {(d.backend, d.operation, d.attribute): custom.implementation(d) for d in new.declared}
    wanted = {(d.backend, d.operation, d.attribute): (d.backend, d.operation, d.name) for d in old.declared}
    if one := next((key for key in {*found} ^ {*wanted}), None):
        raise SideError(f"--old and --new declare different things: {one[2]} for {one[1]} on {one[0]} stands in one of them alone")
    return {wanted[key]: implementation for key, implementation in found.items()}


def concerned(old: Side, new: Side) -> Callable[[Case], bool]:
    """Tells which cases an upgrade from the one to the other concerns: those that any distribution that differs has a part in.

    If none differs, all that can be there. A distribution that is not the framework's own has a part in what is named after it (optax in
    ``optax.squared_error``), or, if nothing is, in everything (jaxlib).
    """
    there = [{plain(n): v for n, v in side.versions.items()} for side in (old, new)]
    found = [n for n in backends() if any(set(n.split("-")) <= set(versions) for versions in there)]
    differing = {n: [d for d in backends()[n].distributions if there[0].get(d) != there[1].get(d)] for n in found}

    def takes_part(distribution: str, case: Case) -> bool:
        backend = backends()[case.backend]
        named = any(i.name.startswith(f"{distribution}.") for i in backend.implementations)
        return distribution == backend.distributions[0] or not named or case.implementation.startswith(f"{distribution}.")

    if not any(differing.values()):
        return lambda case: case.backend in found
    return lambda case: any(takes_part(d, case) for d in differing.get(case.backend, ()))


def plain(distribution: str) -> str:
    """The distribution that a variant stands for."""
    return distribution.removesuffix("-cpu").removesuffix("-nightly")
