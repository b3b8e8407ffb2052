"""What frameworks do that more than one entry meets, by backend. An entry asserts it where it says so."""

from __future__ import annotations

HIDDEN_LOGITS = {"keras-tensorflow"}
"""Backends whose loss of probabilities takes the logits that these were made of, as long as it finds them."""

EARLY_ZERO = {"tensorflow", "keras-tensorflow"}
"""Backends whose gradient of binary cross-entropy is σ(x) − y as it stands, 0 as soon as σ(x) rounds to 1."""
