"""What frameworks do that more than one entry meets. An entry asserts it where it says so."""

from __future__ import annotations

EPSILON = 1e-7
"""Keras' ``epsilon()``: probabilities are clipped to [ε, 1 − ε], both rounded to the dtype."""

HIDDEN_LOGITS = {"keras-tensorflow"}
"""Backends whose loss of probabilities takes the logits that these were made of, as long as it finds them."""

EARLY_ZERO = {"tensorflow", "keras-tensorflow"}
"""Backends whose gradient of binary cross-entropy is σ(x) − y as it stands, 0 as soon as σ(x) rounds to 1."""
