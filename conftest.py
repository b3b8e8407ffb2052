"""The suite's pytest plugin, for whatever is collected below this directory."""

from __future__ import annotations

pytest_plugins = ["suite.plugin"]
