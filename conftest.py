"""The suite's pytest plugin, for whatever is collected below this directory."""

from __future__ import annotations

from suite import interrupts

interrupts.leave_quietly()

pytest_plugins = ["suite.plugin"]
