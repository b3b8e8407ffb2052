"""Platforms: what chooses the kernels that results come from, and so which results can be compared bit by bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from suite.backends import backends
from suite.model import Kinship

SETTINGS = ("XLA_FLAGS", "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "jax matmul precision", "numpy cpu features")
"""Facts of a backend's process, beside the CPU's vector extensions, that change which kernels run."""

_UNSET = ("", "(default)", "None")


@dataclass(frozen=True)
class Platform:
    """Where grades were measured. ``cpu`` is the CPU's name, for a reader; kernels go by its ``extensions``."""

    backend: str
    device: str
    cpu: str
    extensions: str
    settings: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def of(cls, backend: str, device: str, facts: Mapping[str, str]) -> Platform:
        """From what a backend's process says of itself."""
        settings = {name: facts[name] for name in SETTINGS if facts.get(name, "") not in _UNSET}
        versions = {name: facts.get(name, "unknown") for name in backends()[backend].distributions}
        return cls(backend, device, facts.get("cpu", "unknown"), facts.get("vector extensions", ""), settings, versions)

    @property
    def name(self) -> str:
        """The stem of its file: two platforms never share one."""
        what = [self.device, self.extensions, dict(self.settings), dict(self.versions)]
        return f"{self.backend}-{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]}"

    @property
    def release(self) -> str:
        """The framework's own distribution and version: ``jax 0.10.2``."""
        return " ".join(next(iter(self.versions.items())))

    def kinship(self, other: Platform) -> Kinship:
        """How much of another platform's grades means something here."""
        if (self.backend, self.device) != (other.backend, other.device):
            return "none"
        if (self.extensions, self.settings) != (other.extensions, other.settings):
            return "other CPU"
        return "same" if self.versions == other.versions else "other versions"

    def differing(self, other: Platform) -> str:
        """The distributions of other versions: ``jax 0.10.1, here 0.10.2``."""
        pairs = ((name, version, other.versions.get(name, "none")) for name, version in self.versions.items())
        return ", ".join(f"{name} {old}, here {new}" for name, old, new in pairs if old != new)

    @property
    def newness(self) -> tuple[Version, ...]:
        """What tells a later release from an earlier one; a version that cannot be read counts as the earliest."""
        return tuple(_version(version) for version in self.versions.values())


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")
