"""The suite's tests of itself."""
