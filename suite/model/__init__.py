"""The nouns of the suite: frozen dataclasses, standard library only.

Every other module speaks in these. They hold facts and plain functions; nothing here computes.
Arrays are NumPy's, but this package does not import NumPy, so that readers of result files need nothing.
"""

from suite.model.casebook import Axis, Figure, Panel, Reproduction, Series, Statement, Table, Verdict
from suite.model.checking import (
    RESULT_FORMAT,
    Argument,
    Array,
    Case,
    Curve,
    Implementation,
    Limitation,
    Operation,
    Record,
    Role,
    Shape,
    Slice,
    Status,
    Straight,
)
from suite.model.comparing import Change, Direction, Held, Kinship, Ratio, Side, Speed

__all__ = [
    "RESULT_FORMAT", "Argument", "Array", "Axis", "Case", "Change", "Curve", "Direction", "Figure", "Held", "Implementation", "Kinship",
    "Limitation", "Operation", "Panel", "Ratio", "Record", "Reproduction", "Role", "Series", "Shape", "Side", "Slice", "Speed",
    "Statement", "Status", "Straight", "Table", "Verdict",
]  # fmt: skip
