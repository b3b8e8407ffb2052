"""The casebook's data: built once in the suite's process, described, hashed, and sent to every framework.

Draws are those of NumPy's legacy generator, whose stream is frozen, so that a document's own data come out to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Dataset:
    """Arrays by name, and what they are."""

    name: str
    description: str
    build: Callable[[], Arrays]


def _bent_line() -> Arrays:
    random = np.random.RandomState(43052)
    x = np.linspace(-1, 1, 100)
    y = np.array([(each if each < 0 else 3.5 * each) + random.normal() * 0.3 for each in x])
    return {"x": x[:, None], "y": y[:, None]}


def _noise() -> Arrays:
    random = np.random.RandomState(43052)
    return {"x": np.linspace(0, 1, 100)[:, None], "y": random.normal(loc=0, scale=0.001, size=(100, 1))}


def _logistic() -> Arrays:
    """The document draws this sample after that of the noise, from the same stream."""
    random = np.random.RandomState(43052)
    random.normal(loc=0, scale=0.001, size=(100, 1))
    x = np.linspace(-1, 1, 2000)[:, None]
    p = 1 / (1 + np.exp(1 - 5 * x))
    return {"x": x, "y": random.binomial(1, p).astype(np.float64), "p": p}


def blobs(count: int, centers: int, random: np.random.RandomState, spread: float = 1.0) -> Arrays:
    """As scikit-learn's ``make_blobs`` draws them: centres uniform in [−10, 10]², normal clouds of equal size, then shuffled."""
    middle = random.uniform(-10.0, 10.0, size=(centers, 2))
    sizes = [count // centers + (i < count % centers) for i in range(centers)]
    x = np.concatenate([random.normal(loc=middle[i], scale=spread, size=(n, 2)) for i, n in enumerate(sizes)])
    y = np.concatenate([np.full(n, i) for i, n in enumerate(sizes)])
    order = np.arange(count)
    random.shuffle(order)
    return {"x": x[order], "y": y[order]}


def _blobs() -> Arrays:
    return blobs(100, 2, np.random.RandomState(42))


def _overlapping() -> Arrays:
    """Two clouds whose centres are two apart, so that no classifier is certain everywhere."""
    random = np.random.RandomState(7)
    y = np.arange(600) % 2
    x = random.normal(size=(600, 2)) + np.where(y[:, None] == 1, 1.0, -1.0)
    return {"x": x, "y": y}


def _two_classes() -> Arrays:
    """926 of 1,845 is the only share of up to 2,300 examples, the document's number, that prints as 0.501897."""
    random = np.random.RandomState(3)
    y = (np.arange(1845) < 926).astype(np.float64)
    random.shuffle(y)
    x = random.normal(size=(1845, 2)) + np.where(y[:, None] == 1, 1.45, -1.45)
    return {"x": x, "y": y[:, None]}


def _sequences() -> Arrays:
    """Lengths that add up to 32 of 64 steps, so that their mean is exact wherever the sum is."""
    random = np.random.RandomState(5)
    lengths = np.array([4, 4, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1])
    valid = np.arange(4) < lengths[:, None]
    x = random.randint(-8, 9, size=(16, 4, 4)) / 8
    x[..., 0] = np.where(x.any(axis=-1), x[..., 0], 0.5)
    token, y = random.randint(1, 6, size=(16, 4)), random.randint(0, 4, size=(16, 4))
    return {"x": np.where(valid[..., None], x, 0.0), "token": np.where(valid, token, 0), "y": np.where(valid, y, 0), "valid": valid}


def _descents() -> Arrays:
    """Rounded, so that no library's last bit shows."""
    from suite.casebook.descent import Rule, of_run
    from suite.casebook.logistic import EVERY, RUNS, STEPS
    from suite.floats import FORMATS
    from suite.operations.bounds import Rounding

    r = Rounding(FORMATS["float64"])
    return {loss: np.round([of_run(run, loss, Rule(run.optimiser), r, STEPS, EVERY).path for run in RUNS], 6) for loss in ("MSE", "BCE")}


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("bent", "100 points x in [−1, 1]; y = x + 0.3ε left of 0, 3.5x + 0.3ε from there on; seed 43052", _bent_line),
        Dataset("noise", "100 points x in [0, 1]; y normal with standard deviation 0.001; seed 43052", _noise),
        Dataset("logistic", "2,000 points x in [−1, 1]; y = 1 with probability p = σ(5x − 1); seed 43052, after the noise", _logistic),
        Dataset("descents", "intercept and slope every 15 epochs on the ways of C22 by NumPy in float64, to six decimals", _descents),
        Dataset("blobs", "100 points in the plane about two centres, 50 of each class; make_blobs with seed 42", _blobs),
        Dataset("sequences", "16 sequences of 1 to 4 steps, padded with 0; 4 features, multiples of 1/8; a token; a class of 4; seed 5",
                _sequences),
        Dataset("overlapping", "600 points, 300 of each class, standard normal about (−1, −1) and (1, 1); seed 7", _overlapping),
        Dataset("classes", "1,845 points, 926 of class 1, standard normal about ±(1.45, 1.45); seed 3", _two_classes),
    )
}  # fmt: skip


@cache
def arrays(name: str) -> Arrays:
    """A data set's arrays, read-only."""
    built = DATASETS[name].build()
    for array in built.values():
        array.setflags(write=False)
    return built


@cache
def digest(name: str) -> str:
    """A hash of names, shapes and contents. Numbers count to 12 digits, which no library's logarithm is about to change."""
    found = blake2b(digest_size=8)
    for key, array in sorted(arrays(name).items()):
        found.update(f"{key} {array.shape} ".encode())
        found.update(" ".join(f"{v:.11e}" for v in array.ravel().tolist()).encode())
    return found.hexdigest()
