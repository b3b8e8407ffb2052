"""Inputs as checks pass them round: blocks of one shape, and the forms in which an operation can be called with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Form:
    """A way to call an operation.

    ``order`` says how a block is laid out: ``a`` and ``b`` are the parts of the batch, ``m`` and ``n`` those of the classes, so that
    ``an`` is a block as it is, ``na`` one along axis 0. ``negative`` counts the axis from the end. ``extra`` are array arguments by
    keyword, ``options`` other keywords, ``labels`` the dtype that labels come in. ``view`` hands over an array with gaps that are
    cut out, or one that is transposed, inside the function.
    """

    name: str = "plain"
    order: str = "an"
    negative: bool = False
    extra: tuple[str, ...] = ()
    options: Mapping[str, float] = field(default_factory=dict)
    labels: str = ""
    view: str = ""

    @property
    def axis(self) -> int | tuple[int, ...]:
        """Where the classes are."""
        places = [i - len(self.order) if self.negative else i for i, letter in enumerate(self.order) if letter in "mn"]
        return tuple(places) if len(places) > 1 else places[0]

    @property
    def moves_axis(self) -> bool:
        """Whether an axis has to be named."""
        return "m" in self.order or ("n" in self.order and not self.order.endswith("n"))

    @property
    def needs(self) -> tuple[str, ...]:
        """Keywords that an implementation has to take; ``axes`` stands for several axes at once."""
        axis = ("axes" if "m" in self.order else "axis",) if self.moves_axis else ()
        return (*axis, *self.extra, *self.options)

    def arrange(self, array: NDArray[Any]) -> NDArray[Any]:
        """``(K, B)`` or ``(K, B, n)`` in this form's layout."""
        split = array.reshape(array.shape[0], *self.split(array.shape[1:]))
        return split.transpose(0, *(1 + i for i in self.permutation(array.ndim - 1)))

    def restore(self, array: NDArray[Any], batch: tuple[int, ...]) -> NDArray[Any]:
        """The inverse: results back to ``(K, B)`` or ``(K, B, n)``, where the first argument's block has the shape ``batch``."""
        rows = len(batch) > 1 and array.ndim - 1 == len(self.order)
        back = np.argsort(self.permutation(2 if rows else 1))
        return array.transpose(0, *(1 + back)).reshape(array.shape[0], *(batch if rows else batch[:1]))

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a block, ``(B,)`` or ``(B, n)``, with batch and classes cut into the parts that the layout has."""
        batch = _factors(shape[0], "b" in self.order)
        return (*batch, *_factors(shape[1], "m" in self.order)) if len(shape) > 1 else batch

    def permutation(self, ndim: int) -> list[int]:
        """How the parts of a block of ``ndim`` dimensions are laid out: the layout's letters by their places in the alphabet."""
        letters = [c for c in self.order if ndim > 1 or c in "ab"]
        return [sorted(letters).index(c) for c in letters]


def _factors(count: int, two: bool) -> tuple[int, ...]:
    """A count as the product of one or two numbers."""
    first = next((d for d in (4, 3, 2) if count % d == 0), 1)
    return (first, count // first) if two else (count,)


BLOCK_ROWS = 32
"""Rows in a block, unless a profile says otherwise."""

PLAIN = Form()
FORMS = (
    PLAIN,
    Form("axis 0", "na"),
    Form("axis -2", "na", negative=True),
    Form("axis 1 of 3", "anb"),
    Form("axes 0 and 2", "man"),
    Form("where", extra=("where",)),
    Form("where, axis 0", "na", extra=("where",)),
    Form("b", extra=("b",)),
    Form("strided", view="strided"),
    Form("transposed", view="transposed"),
    Form("gamma 1/2", options={"gamma": 0.5}),
    Form("label smoothing", options={"label_smoothing": 0.1}),
    Form("label smoothing, axis 0", "na", options={"label_smoothing": 0.1}),
)
"""Beside the plain one, those that a value is checked in wherever an implementation takes what they need."""


@dataclass(frozen=True)
class Batch:
    """Blocks of inputs of one shape: arrays ``(K, B)`` or ``(K, B, n)`` by argument name, ``where``, ``b`` and ``cotangent`` too."""

    label: str
    arrays: Mapping[str, NDArray[Any]]
    form: Form = PLAIN

    @cached_property
    def key(self) -> str:
        """A digest of the content."""
        digest = blake2b(self.form.name.encode(), digest_size=16)
        for name, array in sorted(self.arrays.items()):
            digest.update(f"{name}{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def flat(self) -> Arrays:
        """The examples of all blocks in one: ``(K·B,)`` or ``(K·B, n)``."""
        return {name: a.reshape(-1, *a.shape[2:]) for name, a in self.arrays.items()}

    def replaced(self, label: str, arrays: Mapping[str, NDArray[Any]], form: Form | None = None) -> Batch:
        """The same with some arrays, and perhaps the form, replaced."""
        return Batch(label, {**self.arrays, **arrays}, form or self.form)

    @property
    def first(self) -> NDArray[Any]:
        """The first argument."""
        first: NDArray[Any] = next(iter(self.arrays.values()))
        return first

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return int(self.first.shape[0])


def unit_vectors(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """For blocks of rows ``(K, B, n)``: unit vectors, class by class."""
    k, b, n = shape
    classes = np.arange(k * b).reshape(k, b) % n
    return np.asarray(np.arange(n) == classes[..., None], dtype=np.float64)


def directions(batch: Batch) -> NDArray[np.float64]:
    """Along what to differentiate: 1 for single numbers; for rows unit vectors, in every fifth example 1 and -1 in turns."""
    shape = batch.first.shape
    if len(shape) < 3:
        return np.ones(shape)
    turns = np.where(np.arange(shape[2]) % 2 == 0, 1.0, -1.0)
    return np.where((np.arange(shape[1]) % 5 == 4)[:, None], turns, unit_vectors(shape))
