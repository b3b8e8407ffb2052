"""The figures' colours: seen on what they stand on, and told apart by everybody."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from reports.html import HERE

LINEAR_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
SEEN_BY = {
    "everybody else": np.eye(3),
    "protanopes": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopes": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanopes": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
"""Linear RGB as it is seen: Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), at full severity."""

FAR = 15.0
"""A distance of colours in CIELAB that nobody overlooks; some 2 can just be seen. Shapes and dashes tell series apart besides."""


def colours(theme: str) -> dict[str, str]:
    """The style sheet's colours in a theme."""
    style = (HERE / "static" / "style.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", style)
    return {name: light if theme == "light" else dark for name, light, dark in found}


def linear(colour: str) -> np.ndarray:
    """Linear RGB of ``#rrggbb`` or ``#rgb``."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIELAB of linear RGB."""
    xyz = LINEAR_TO_XYZ @ np.clip(light, 0, 1) / WHITE
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""
    dark, light = sorted(float(LINEAR_TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_series_stand_out_from_the_card(theme: str) -> None:
    """By 3 : 1, as WCAG 1.4.11 asks of figures."""
    found = colours(theme)
    assert {name: value for name, value in found.items() if re.fullmatch(r"c\d|warn", name) and contrast(value, found["card"]) < 3} == {}
    assert len([name for name in found if re.fullmatch(r"c\d", name)]) == 7


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("who", SEEN_BY)
def test_series_are_told_apart(theme: str, who: str) -> None:
    """Any two of them, by whatever kind of eyes."""
    series = {name: lab(SEEN_BY[who] @ linear(value)) for name, value in colours(theme).items() if re.fullmatch(r"c\d", name)}
    near = {(a, b): float(np.linalg.norm(series[a] - series[b])) for a, b in itertools.combinations(series, 2)}
    assert {pair: far for pair, far in near.items() if far < FAR} == {}
