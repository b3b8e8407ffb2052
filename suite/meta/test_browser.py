"""Every page of a report in a real browser: it opens without an error, is drawn whole, leads on, and keeps nobody out."""

from __future__ import annotations

import pytest

from suite.meta.browsing import NARROW, Visit, broken, draw, overflow, violations

PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_opens_and_is_drawn(visit: Visit, part: int) -> None:
    """Without an error, a dialog or a request; every figure shows something, and every link leads somewhere."""
    for path in visit.pages[part::PARTS]:
        page = visit.open(path)
        figures = page.locator("figure.plot")
        assert draw(page) >= figures.count(), f"{path}: a figure is empty"
        assert not broken(page, visit.root), path
        assert not violations(page), path
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": NARROW, "height": 844})
        draw(page)
        assert overflow(page) <= 0, path
        assert not violations(page), path
        page.close()
