"""Known failures as data: what the file may say, which cases and elements an entry covers, what its witness is."""

from __future__ import annotations

import json
from math import inf, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import limitations
from suite.batch import Batch
from suite.checks import checks
from suite.floats import FORMATS
from suite.limitations import LimitationsError, load, matching, resolve
from suite.model import Case, Limitation
from suite.operations import operations

ENTRY: dict[str, Any] = {
    "id": "first", "operation": "sigmoid", "check": "no_premature_zero", "reason": "s (1 - s)", "witness": {"x": 20.0},
}  # fmt: skip
CASE = Case("sigmoid", "jax", "jax.nn.sigmoid", "jit", "float32")
FLOAT32 = FORMATS["float32"]
SPARSE = "sparse_softmax_cross_entropy_with_logits"
LOGITS = np.array([[1.0, 5.0, 2.0], [3.0, 3.0, -4.0]])


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def written(path: Path, *entries: dict[str, Any]) -> tuple[Limitation, ...]:
    """The entries as the suite reads them from a file."""
    text = "limitation = [" + ",".join(toml(entry) for entry in entries) + "]"
    (path / "limitations.toml").write_text(text, encoding="utf-8")
    return load(path / "limitations.toml", checks(), operations())


def entry(**changed: Any) -> Limitation:
    """An entry made in place."""
    return Limitation(**{**ENTRY, "check": ("no_premature_zero",), **changed})


def inside(operation: str, arrays: dict[str, Any], shape: tuple[int, ...], **region: Any) -> list[Any]:
    """Which elements of an output lie in a region; one block of float32 inputs."""
    batch = Batch("made", {n: np.asarray(a)[None] for n, a in arrays.items()})
    found: list[Any] = limitations.region(entry(region=region), operations()[operation], FLOAT32, batch, shape).tolist()
    return found


def test_the_projects_own_file_is_sound() -> None:
    """Every name in it is known; every entry has a reason and a witness that makes a batch at every dtype it names."""
    root = Path(limitations.__file__).resolve().parent.parent
    for found in load(root / "fixtures" / "limitations.toml", checks(), operations()):
        assert found.reason
        for dtype in FORMATS if "*" in found.dtype else found.dtype:
            assert limitations.witness(found, operations()[found.operation], dtype, (4, 3)).blocks == 1


def test_a_good_entry_is_read_as_it_stands(tmp_path: Path) -> None:
    """A lone name is a list of one; what is left out means everything."""
    (found,) = written(tmp_path, {**ENTRY, "dtype": ["float32"], "region": {"|x|": ["saturation", inf]}, "ceiling": 4.0})
    assert list(found.check) == ["no_premature_zero"]
    assert (found.dtype, found.mode, found.ceiling) == (("float32",), ("*",), 4.0)
    assert found.region == {"|x|": ("saturation", inf)}


def test_an_empty_file_has_no_entries(tmp_path: Path) -> None:
    """That is not an error."""
    assert written(tmp_path) == ()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reson": "typo"}, "unknown field reson; allowed are .*reason"),
        ({"operation": "sigmoyd"}, "unknown operation sigmoyd; known are .*sigmoid"),
        ({"check": ["no_premature_zero", "nonsense*"]}, r"no check matches nonsense\*; known are .*no_premature_zero"),
        ({"check": ["no_premature_zero", 5]}, r"check has to be a name or a list of names, not \['no_premature_zero', 5\]"),
        ({"check": 5}, "check has to be a name or a list of names, not 5"),
        ({"dtype": 16}, "dtype has to be a name or a list of names, not 16"),
        ({"mode": []}, "mode has to be a name or a list of names"),
        ({"reason": 3}, "reason has to be a text, not 3"),
        ({"reason": ""}, "reason has to be a text"),
        ({"region": 4}, "region has to be a table, not 4"),
        ({"witness": 20.0}, "witness has to be a table, not 20.0"),
        ({"releases": ">=1"}, "releases has to be a table, not '>=1'"),
        ({"dtype": ["float32", "bfloat61"]}, "no dtype matches bfloat61; known are .*bfloat16"),
        ({"mode": ["jit", "graf"]}, "no mode matches graf; known are eager, .*graph"),
        ({"backend": ["jax", "keras-jaxx"]}, "no backend matches keras-jaxx; known are numpy, .*keras-jax"),
        ({"implementation": ["jax.nn.sigmoid", "jax.nn.sigmoyd"]}, "no implementation matches jax.nn.sigmoyd; known are .*jax.nn.sigmoid"),
        ({"implementation": ["jax.nn.sigmoid", "jax.nn.softmax"]}, "no implementation matches jax.nn.softmax; known are "),
        ({"backend": "jax", "mode": ["jit", "graph"]}, "no mode matches graph beside the entry's other fields; there are eager, jit$"),
        ({"backend": "numpy", "dtype": "bfloat16"}, "no backend matches numpy beside the entry's other fields; there are jax, "),
        ({"form": ["strided", "stridden"]}, "unknown form stridden; known are plain, strided"),
        ({"form": "axis 0"}, "unknown form axis 0; known are plain, strided$"),
        ({"region": {"y": [0, 1]}}, "unknown feature y; known are x"),
        ({"region": {"x|": [0, 1]}}, r"unknown feature x\|; known are x"),
        ({"region": {"x": [0, "2*tony"]}}, r"'2\*tony' is no number, and no multiple of tiny, max, u or saturation"),
        ({"region": {"x": [[0], 1]}}, r"\[0\] is no number"),
        ({"region": {"x": [False, True]}}, "False is no number"),
        ({"region": {"x": [0, 10**400]}}, "000 is no number"),
        ({"region": {"x": [0]}}, r"the region of x has to be \[low, high\]"),
        ({"region": {"x": 3}}, r"the region of x has to be \[low, high\]"),
        ({"region": {"x": [2.0, 1.0]}}, "the region of x is empty"),
        ({"region": {"x": [0.0, np.nan]}}, "the region of x is empty"),
        ({"region": {"label margin": [0, 1]}}, "label margin"),
        ({"region": {"distance": [0, 1]}}, "distance"),
        ({"ceiling": "high"}, "ceiling has to be a number above 1 such as 4.0, not 'high'"),
        ({"ceiling": 1.0}, "ceiling has to be a number above 1"),
        ({"ceiling": np.nan}, "ceiling has to be a number above 1"),
        ({"releases": {"jax": "newer than 1"}}, 'the releases of jax have to be a text such as ">=1.2,<2", not .newer than 1'),
        ({"releases": {"jax": 4}}, "the releases of jax have to be a text such as .*, not 4"),
        ({"releases": {"jaxx": ">=1"}}, "no backend of the entry tells the release of jaxx; known are .*jax"),
        ({"backend": "numpy", "releases": {"jax": ">=1"}}, "no backend of the entry tells the release of jax; known are numpy, scipy$"),
        ({"cpu": ["!ssse17"]}, "no CPU has !ssse17; names begin with sse4, avx"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    """The file, the entry, what is wrong, what is allowed."""
    with pytest.raises(LimitationsError, match=rf"limitations\.toml: first: .*{says}"):
        written(tmp_path, {**ENTRY, **wrong})


@pytest.mark.parametrize(
    ("operation", "witness", "says"),
    [
        ("sigmoid", {"x": "big"}, "'big' is no number"),
        ("sigmoid", {"x": True}, "True is no number"),
        ("sigmoid", {"y": 1.0}, "has to give x$"),
        ("sigmoid", {"x": 1.0, "y": 1.0}, "has to give x$"),
        ("sigmoid", {"x": 1.0, "where": True}, "has to give x$"),
        ("softmax", {"x": [1.0], "were": [True]}, "has to give x; it may give cotangent, where$"),
        ("sigmoid", {"x": [[1.0]]}, "x of the witness has to be a number, or a list of several"),
        ("softmax", {"x": 1.0}, "x of the witness has to be a row, or a list of several"),
        ("softmax", {"x": []}, "x of the witness is empty"),
        ("softmax", {"x": [[1.0, 2.0], [1.0]]}, "x of the witness has rows that differ in length"),
        ("softmax", {"x": [1.0, 2.0], "where": [True]}, "rows have to be of one length, not 2 in x, 1 in where"),
        ("softmax", {"x": [1.0, 2.0], "where": [1, 0]}, "where of the witness has to hold true and false, not 1"),
        ("logaddexp", {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}, "lists of examples have to be of one length, not 2 in a, 3 in b"),
        (SPARSE, {"logits": [1.0, 2.0], "labels": 2}, "labels of the witness has to hold classes from 0 to 1, not 2"),
        (SPARSE, {"logits": [1.0, 2.0], "labels": [0, -1]}, "labels of the witness has to hold classes from 0 to 1, not -1"),
        (SPARSE, {"logits": [1.0, 2.0], "labels": 0.5}, "labels of the witness has to hold classes from 0 to 1, not 0.5"),
    ],
)
def test_a_bad_witness_is_named(tmp_path: Path, operation: str, witness: dict[str, Any], says: str) -> None:
    """It could not be called, or not as it is meant."""
    with pytest.raises(LimitationsError, match=rf"limitations\.toml: first: .*{says}"):
        written(tmp_path, {**ENTRY, "operation": operation, "witness": witness})


def test_a_form_of_call_has_what_it_takes(tmp_path: Path) -> None:
    """A mask where the entry's first form has one, and nowhere else."""
    masked = {**ENTRY, "operation": "softmax", "witness": {"x": [1.0, 2.0], "where": [True, False]}}
    assert len(written(tmp_path, masked, {**masked, "id": "second", "form": ["where", "axis 0"]})) == 2
    with pytest.raises(LimitationsError, match="the witness has to give x; it may give cotangent"):
        written(tmp_path, {**masked, "form": ["axis 0", "where"]})
    with pytest.raises(LimitationsError, match=r"the witness has to give x, where; it may give cotangent$"):
        written(tmp_path, {**masked, "form": "where", "witness": {"x": [1.0, 2.0]}})


@pytest.mark.parametrize("label", [-1, 2])
def test_a_witness_may_name_no_class_where_that_is_checked(tmp_path: Path, label: int) -> None:
    """By that check alone: another one would take it for a class."""
    lost = {**ENTRY, "operation": SPARSE, "check": "no_loss_for_no_class", "witness": {"logits": [0.0, 1.0], "labels": label}}
    assert len(written(tmp_path, lost)) == 1
    with pytest.raises(LimitationsError, match=f"classes from 0 to 1, not {label}"):
        written(tmp_path, {**lost, "check": ["no_loss_for_no_class", "value_within_bound"]})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[[limitations]]", "unknown limitations; allowed is limitation"),
        ("[limitation]\nid = 'first'", "has to be a list of tables"),
        ("limitation = 3", "has to be a list of tables"),
        ("limitation = [3]", "has to be a list of tables"),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path: Path, content: str, says: str) -> None:
    """It would be read as one without entries, or not at all."""
    path = tmp_path / "limitations.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LimitationsError, match=rf"limitations\.toml: .*{says}"):
        load(path, checks(), operations())


@pytest.mark.parametrize("field", ["operation", "check", "reason", "witness"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    """With the entry's id, or that it has none."""
    with pytest.raises(LimitationsError, match=f"first: missing {field}"):
        written(tmp_path, {k: v for k, v in ENTRY.items() if k != field})
    with pytest.raises(LimitationsError, match=r"\(without id\): missing id"):
        written(tmp_path, {k: v for k, v in ENTRY.items() if k != "id"})


def test_a_second_entry_of_a_name_is_an_error(tmp_path: Path) -> None:
    """Ids are how people speak of entries."""
    with pytest.raises(LimitationsError, match=r"limitations\.toml: id used twice: first"):
        written(tmp_path, ENTRY, {**ENTRY, "operation": "tanh"})


@pytest.mark.parametrize("content", [b"[[limitation]", b"\xff\xfe", None])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Not TOML, not text, not there."""
    path = tmp_path / "limitations.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LimitationsError, match=r"limitations\.toml: "):
        load(path, checks(), operations())


@pytest.mark.parametrize(
    ("changed", "matches"),
    [
        ({}, True),
        ({"operation": "tanh"}, False),
        ({"check": ("no_*",)}, True),
        ({"check": ("value_within_bound",)}, False),
        ({"implementation": ("jax.nn.*", "nothing")}, True),
        ({"implementation": ("jax.numpy.*",)}, False),
        ({"backend": ("tensorflow", "jax")}, True),
        ({"backend": ("keras-jax",)}, False),
        ({"mode": ("eager",)}, False),
        ({"dtype": ("float16", "float64")}, False),
        ({"releases": {"jax": ">=0.4.30,<0.11"}}, True),
        ({"releases": {"jax": "<0.10"}}, False),
        ({"releases": {"tensorflow": ">=2"}}, False),
        ({"cpu": ("avx2", "!avx512_fp16")}, True),
        ({"cpu": ("avx2", "avx512f")}, False),
        ({"cpu": ("!avx2",)}, False),
        ({"cpu": ("avx",)}, False),
    ],
)
def test_entries_match_cases(changed: dict[str, Any], matches: bool) -> None:
    """By operation, check, names with wildcards, the releases installed and the CPU's vector extensions."""
    found = matching([entry(**changed)], CASE, "no_premature_zero", {"jax": "0.10.2", "vector extensions": "avx2 fma"})
    assert bool(found) is matches


def test_brackets_in_names_are_no_wildcards() -> None:
    """Variants of an API carry their arguments in the name."""
    name = "keras.ops.binary_crossentropy(from_logits=True)[axis]"
    case = Case("sigmoid", "jax", name, "jit", "float32")
    assert matching([entry(implementation=(name,))], case, "no_premature_zero", {})


@pytest.mark.parametrize(
    ("version", "matches"), [("2.21.0", True), ("2.21.0rc1", True), ("2.22.0 (tensorflow-cpu)", True), ("not installed", False)]
)
def test_releases_are_compared_as_versions(version: str, matches: bool) -> None:
    """Candidates count, a variant's name behind the version does not, and what is not installed has no release."""
    found = matching([entry(releases={"tensorflow": ">=2.21.0rc0"})], CASE, "no_premature_zero", {"tensorflow": version})
    assert bool(found) is matches


def test_numbers_may_be_the_formats_own() -> None:
    """Multiples of the smallest normal number, the largest, the unit roundoff, and of −log u."""
    for name, fmt in FORMATS.items():
        got = [resolve(n, fmt) for n in ("tiny", "-max", "2*u", "-0.5*saturation", "1e3*tiny", "inf", -3, 0.25)]
        assert got == [fmt.tiny, -fmt.max, 2 * fmt.u, 0.5 * log(fmt.u), 1e3 * fmt.tiny, inf, -3.0, 0.25], name


@pytest.mark.parametrize("wrong", ["tony", "2*", "u*2", "--u", ""])
def test_other_words_are_no_numbers(wrong: str) -> None:
    """A typo must not become a region."""
    with pytest.raises(ValueError, match=r"could not convert|invalid"):
        resolve(wrong, FLOAT32)


def test_a_region_is_closed() -> None:
    """Both ends belong to it; NaN does not; an entry without one covers everything."""
    x = {"x": [1.0, 2.0, 3.0, 3.5, np.nan]}
    assert inside("sigmoid", x, (5,), x=(2.0, 3.0)) == [False, True, True, False, False]
    assert inside("sigmoid", x, (5,)) == [True] * 5


def test_nan_has_a_region_of_its_own() -> None:
    """``[nan, nan]`` is where a feature is NaN; a row's features are NaN as soon as one of its entries is."""
    assert inside("sigmoid", {"x": [1.0, np.nan]}, (2,), x=(np.nan, np.nan)) == [False, True]
    rows = [[0.0, 1.0], [np.nan, 1.0]]
    assert inside("softmax", {"x": rows}, (2, 2), largest=(np.nan, np.nan)) == [[False, False], [True, True]]


def test_bars_are_an_absolute_value() -> None:
    """Both tails at once."""
    assert inside("sigmoid", {"x": [-3.0, -1.0, 1.0, 3.0]}, (4,), **{"|x|": (2.0, inf)}) == [True, False, False, True]


def test_all_features_have_to_hold() -> None:
    """An element lies in the region if each of its features lies in its interval."""
    arrays = {"a": [0.0, 0.0, 9.0], "b": [0.0, 5.0, 9.0]}
    assert inside("logaddexp", arrays, (3,), distance=(0.0, 1.0), a=(5.0, 10.0)) == [False, False, True]


@pytest.mark.parametrize(
    ("feature", "interval", "expected"),
    [
        ("dominance", (3.0, 3.0), [[False, True, False], [False, False, False]]),
        ("dominance", (0.0, 0.0), [[False, False, False], [True, True, False]]),
        ("depth", (1.0, 3.5), [[False, False, True], [False, False, False]]),
        ("spread", (7.0, 7.0), [[False] * 3, [True] * 3]),
        ("largest", (4.0, 6.0), [[True] * 3, [False] * 3]),
        ("smallest", (-4.0, 0.0), [[False] * 3, [True] * 3]),
        ("x", (4.0, 6.0), [[False, True, False], [False] * 3]),
    ],
)
def test_features_of_rows(feature: str, interval: tuple[float, float], expected: list[list[bool]]) -> None:
    """A row's features hold for all its entries, an entry's for itself."""
    assert inside("softmax", {"x": LOGITS}, (2, 3), **{feature: interval}) == expected


def test_features_of_entries_make_a_row() -> None:
    """Where a row has one result, it lies in the region as soon as one of its entries does."""
    assert inside("logsumexp", {"x": LOGITS}, (2,), x=(4.0, 6.0)) == [True, False]


def test_one_entry_of_the_row_has_all_features_of_entries() -> None:
    """Neither the largest entry nor the negative one is both, so that the row is not covered; features of the row join in."""
    assert inside("logsumexp", {"x": LOGITS}, (2,), x=(-5.0, 0.0), depth=(0.0, 0.0)) == [False, False]
    assert inside("logsumexp", {"x": LOGITS}, (2,), x=(-5.0, 0.0), depth=(7.0, 7.0)) == [False, True]
    assert inside("logsumexp", {"x": LOGITS}, (2,), x=(2.0, 3.0), largest=(3.0, 3.0)) == [False, True]


@pytest.mark.parametrize("operation", ["softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits"])
def test_the_label_margin(operation: str) -> None:
    """The labelled class over the largest other one, from indices and from one-hot rows alike."""
    index = np.array([1, 2])
    labels = index if operation.startswith("sparse") else np.eye(3)[index]
    arrays = {"logits": LOGITS, "labels": labels}
    assert inside(operation, arrays, (2,), **{"label margin": (3.0, 3.0)}) == [True, False]
    assert inside(operation, arrays, (2,), **{"label margin": (-7.0, -7.0)}) == [False, True]


def test_regions_scale_with_the_dtype() -> None:
    """−log u is 16.6 in float32 and 36.7 in float64."""
    batch = Batch("made", {"x": np.array([[8.0, 20.0, 40.0]])})
    saturated = entry(region={"x": ("saturation", "max")})
    got = {d: limitations.region(saturated, operations()["sigmoid"], FORMATS[d], batch, (3,)).tolist() for d in FORMATS}
    assert got["float32"] == [False, True, True]
    assert got["float64"] == [False, False, True]
    assert got["float16"] == [True, True, True]


def test_a_witness_is_a_full_block_of_representable_numbers() -> None:
    """Repeated, since vector kernels treat a lone element differently, and rounded to the dtype."""
    found = limitations.witness(entry(witness={"x": 0.1}), operations()["sigmoid"], "float16", (256,))
    assert found.arrays["x"].shape == (1, 256)
    assert set(found.arrays["x"].ravel()) == {float(np.float16(0.1))}


def test_a_witness_of_rows_has_labels_masks_and_cotangents() -> None:
    """Indices stay integers, masks booleans; a mask means that form of call; the cotangent points at the largest entry."""
    sparse = operations()["sparse_softmax_cross_entropy_with_logits"]
    made = limitations.witness(entry(witness={"logits": [1.0, "max"], "labels": 1}), sparse, "float32", (4, 2))
    assert (made.arrays["logits"].shape, made.arrays["labels"].shape) == ((1, 4, 2), (1, 4))
    assert made.arrays["labels"].dtype == np.int64
    assert made.arrays["logits"][0, 0, 1] == FLOAT32.max
    given = entry(witness={"x": [0.0, 3.0], "where": [True, False]})
    masked = limitations.witness(given, operations()["softmax"], "float32", (4, 2))
    assert masked.form.name == "where"
    assert masked.arrays["where"].dtype == bool
    assert masked.arrays["cotangent"][0, 0].tolist() == [0.0, 1.0]
