"""What is computed, who computes it, what must hold of it, and what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Array = Any
"""A NumPy array; spelt so because this module depends on the standard library alone."""

Role = Literal["real", "positive", "probability", "binary", "hard", "distribution", "index", "mask", "weight"]
"""What an argument may hold: any real number, a positive one, a probability, a binary label (soft or hard),
a row of class probabilities, a class index, a mask, a finite weight."""

Shape = Literal["elementwise", "row", "scalar"]
"""What an operation returns: one result for each element, a row for each row, or one number for each row."""

Status = Literal["pass", "fail", "known", "error", "grade", "absent"]
"""``known``: fails where a limitation says so. ``error``: raised. ``grade``: characterised, not judged. ``absent``: not measured."""

RESULT_FORMAT = 1
"""Version of the result files' format; readers accept every version up to this one."""


@dataclass(frozen=True)
class Argument:
    """One array argument of an operation.

    ``rows`` says that it has a class axis; an argument without one (an index, or a scalar per element) has a value per example.
    """

    name: str
    role: Role = "real"
    differentiable: bool = True
    rows: bool = False


Straight = tuple[float, float] | None
"""(beyond, slope): for |x| ≥ ``beyond`` the result rounds to slope·x, slope ±1."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A real function of one number, or of two, to be evaluated for every number of a format at once.

    ``compute`` takes float64 arrays, NaN and infinities among them, and errs by at most ``suite.reference.ERROR`` relative to the
    result; ``ball`` is the same function in ball arithmetic, for finite arguments inside the domain. ``trend`` has the sign of the slope
    left and right of 0 (0: it changes, or is not known), ``range`` the closed interval of the values, ``straight`` the asymptotes
    left and right that leave nothing to compute. Where a sum with the larger of two numbers ``cancels``, the error is relative to both.
    """

    compute: Callable[..., Array]
    ball: Callable[..., Any]
    trend: tuple[int, int] = (0, 0)
    range: tuple[float, float] = (-float("inf"), float("inf"))
    straight: tuple[Straight, Straight] = (None, None)
    cancels: bool = False

    def mirrored(self) -> Curve:
        """f(−x), of one number."""
        (left, right), (near, far) = self.trend, self.straight
        compute, ball = self.compute, self.ball
        turned = (far and (far[0], -far[1]), near and (near[0], -near[1]))
        return Curve(lambda x: compute(-x), lambda x: ball(-x), (-right, -left), self.range, turned)

    def negated(self) -> Curve:
        """−f(x)."""
        (left, right), (near, far) = self.trend, self.straight
        compute, ball = self.compute, self.ball
        turned = (near and (near[0], -near[1]), far and (far[0], -far[1]))
        return Curve(lambda *x: -compute(*x), lambda *x: -ball(*x), (-left, -right), (-self.range[1], -self.range[0]), turned)

    def scaled(self, factor: float) -> Curve:
        """factor·f(x) for a factor > 0."""
        compute, ball = self.compute, self.ball
        widened = (factor * self.range[0], factor * self.range[1])
        return Curve(lambda *x: factor * compute(*x), lambda *x: ball(*x) * factor, self.trend, widened)


@dataclass(frozen=True, eq=False)
class Slice:
    """An operation as a function of one number or two: the others are fixed.

    ``curves`` are its value, its derivative with respect to the (first) moving number, and its second derivative if that can be had
    without cancellation. ``moving`` has the places of the moving arguments; for an operation on rows the moving numbers begin the row,
    ``row`` follows them, and the result is looked at in its first entry. ``fixed`` are the other arguments. Inputs outside ``domain``
    and at ``kinks`` (derivatives only) are not judged.
    """

    curves: tuple[Curve, ...]
    moving: tuple[int, ...] = (0,)
    fixed: Mapping[str, float] = field(default_factory=dict)
    row: tuple[float, ...] = ()
    arity: int = 1
    domain: tuple[float, float] = (-float("inf"), float("inf"))
    kinks: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """What is fixed, for a reader: ``labels = 0``; empty for the function itself."""
        numbers = ["x", "y"][: self.arity]
        rows = (
            [f"[{', '.join([*numbers, *(f'{v:g}' for v in self.row)])}]"] if self.row or (self.arity > 1 and len(self.moving) == 1) else []
        )
        return ", ".join([*rows, *(f"{name} = {value:g}" for name, value in self.fixed.items())])


@dataclass(frozen=True)
class Operation:
    """A mathematical function, free of frameworks, with everything that is needed to judge a claim to compute it.

    ``value(*row)`` and ``gradient(*row)`` are the definition in ball arithmetic, one example at a time: arguments without a
    class axis come as one ball, those with one as a list. ``gradient`` returns one entry per differentiable argument, in their
    order; for an operation that returns rows it takes the cotangent row as a last argument.

    ``curvature`` is the second derivative with respect to the first differentiable argument; for one with a class axis it takes a
    direction as a last argument and returns the Hessian's product with it.

    ``bound``, ``gradient_bound`` and ``curvature_bound`` return error bounds; ``suite.operations.bounds`` documents their arguments.
    For an elementwise function of one argument, ``special`` gives the values at points where the definition needs a limit (the
    infinities, a pole), ``domain`` is the closed interval outside which the result is NaN, and ``kinks`` are the points without a
    derivative. ``range`` is the closed interval in which every value lies, exactly, ``gradient_range`` that of
    every derivative. ``corners`` are special inputs (``{"logits": inf, "labels": 1.0}``; a row in brackets goes on with its last entry)
    with the values that are wanted. ``options`` are keyword arguments with the values that they are checked with, ``optional`` the
    keywords that an implementation may lack, ``critical`` the inputs near which formulas are known to break, in any dtype.
    ``rounds`` is False where every result is exact, so that nothing can underflow on the way. ``slices`` are the functions of one
    number, or two, that are swept over every input of a format.
    """

    name: str
    arguments: tuple[Argument, ...]
    shape: Shape
    value: Callable[..., Any]
    bound: Callable[..., Array]
    formula: str
    source: str
    gradient: Callable[..., Any] | None = None
    gradient_bound: Callable[..., Any] | None = None
    curvature: Callable[..., Any] | None = None
    curvature_bound: Callable[..., Array] | None = None
    rounds: bool = True
    options: Mapping[str, float] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    special: Mapping[float, float] = field(default_factory=dict)
    domain: tuple[float, float] = (-float("inf"), float("inf"))
    kinks: tuple[float, ...] = ()
    range: tuple[float, float] = (-float("inf"), float("inf"))
    gradient_range: tuple[float, float] = (-float("inf"), float("inf"))
    corners: tuple[tuple[Mapping[str, Any], Any], ...] = ()
    critical: tuple[float, ...] = ()
    slices: tuple[Slice, ...] = ()

    @property
    def has_rows(self) -> bool:
        """Whether any argument has a class axis."""
        return any(a.rows for a in self.arguments)

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Names of the arguments with respect to which a gradient is defined."""
        return tuple(a.name for a in self.arguments if a.differentiable) if self.gradient else ()


@dataclass(frozen=True)
class Implementation:
    """A callable that claims to compute an operation on a backend.

    ``name`` is the public API's dotted path, with arguments that select a variant in parentheses behind it:
    ``keras.losses.BinaryCrossentropy(from_logits=True)``. ``function`` takes the operation's array arguments by position and
    the keyword arguments in ``accepts``, where ``axes`` says that ``axis`` may be several; it imports its framework when it is called,
    not before. ``file`` is the user's file that declares it, empty for those in the tables.
    """

    operation: str
    backend: str
    name: str
    function: Callable[..., Any] = field(compare=False, repr=False)
    accepts: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float16", "bfloat16", "float32", "float64")
    file: str = ""


def known(noun: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What of an object is a field of a noun: a later version may have added keys."""
    names = {f.name for f in fields(noun)}
    return {name: value for name, value in data.items() if name in names}


@dataclass(frozen=True)
class Case:
    """One thing under test."""

    operation: str
    backend: str
    implementation: str
    mode: str
    dtype: str
    device: str = "cpu"

    @property
    def id(self) -> str:
        """The case's name, unique over all backends: ``sigmoid-jax.nn.sigmoid-jit-float32``."""
        implementation = self.implementation
        if self.backend.startswith("keras-"):
            implementation = f"{self.backend}:{implementation}"
        tail = "" if self.device == "cpu" else f"-{self.device}"
        return f"{self.operation}-{implementation}-{self.mode}-{self.dtype}{tail}"


@dataclass(frozen=True)
class Limitation:
    """A known failure, as data: where it is, an input that shows it, and why.

    ``region`` maps a feature of the operation (for elementwise ones an argument's name) to a closed interval, or to ``[nan, nan]``,
    which is NaN; an element or row whose features all lie inside is left out of the verdict as long as its score stays up to
    ``ceiling``. ``witness`` maps argument names to an input on which the check must fail as long as the entry stands, or to several
    that take turns in a block. ``form`` names the forms of call that it speaks of (``axis -2``, ``where``): the witness is called in
    the first. ``releases`` maps a distribution to a version specifier. ``cpu`` names vector extensions that the CPU must have, or,
    behind a ``!``, must not have. Numbers in ``region`` and ``witness`` may be multiples of a dtype's ``tiny``, ``max``, ``u``,
    ``saturation`` (−log u).
    """

    id: str
    operation: str
    check: tuple[str, ...]
    reason: str
    implementation: tuple[str, ...] = ("*",)
    backend: tuple[str, ...] = ("*",)
    mode: tuple[str, ...] = ("*",)
    dtype: tuple[str, ...] = ("*",)
    form: tuple[str, ...] = ("*",)
    region: Mapping[str, tuple[float | str, float | str]] = field(default_factory=dict)
    ceiling: float = float("inf")
    witness: Mapping[str, Any] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    cpu: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class Record:
    """One measured fact, as it stands in a result file.

    ``value`` and ``limit`` are in the metric's unit, which its name carries (``share of bound``, ``ulp``, ``s``, ``count``).
    ``worst`` is the input at which ``value`` was reached, floats as hexadecimal strings.
    """

    case: Case
    check: str
    family: str
    metric: str
    status: Status
    value: float | None = None
    limit: float | None = None
    worst: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    reproduction: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    environment: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-ready data; the inverse of :meth:`from_json`."""
        return {"kind": "record", **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Builds a record from what :meth:`to_json` wrote; raises ``KeyError`` or ``TypeError`` on what is missing or of another type.

        Infinities and NaN, which JSON lacks, come as strings.
        """
        numbers = {k: float(data[k]) for k in ("value", "limit") if isinstance(data.get(k), str)}
        return cls(**{**known(cls, data), **numbers, "case": Case(**known(Case, data["case"]))})
