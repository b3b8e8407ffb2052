"""A report for every reader: by keyboard, without scripts, on paper, without colours, by ear; and whatever names say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reports.view import KINDS
from suite.meta.browsing import NARROW, Visit, draw, unfolded
from suite.meta.sample_results import SCRIPT

_FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"
_TABLES = """() => [...document.querySelectorAll(".js-plotly-plot")].map((plot) => {
  const details = plot.nextElementSibling;
  details.open = true;
  return new Promise((done) => setTimeout(() => done(details.querySelectorAll("tbody tr").length)));
})"""
_COLOURLESS = """() => [...document.querySelectorAll(".m, .status")].filter((mark) => {
  const words = mark.matches(".m[aria-hidden]") ? mark.parentElement.textContent : mark.ariaLabel ?? mark.textContent;
  return !/\\S/.test(mark.textContent) || !/[a-z]{4}/.test(words);
}).map((mark) => mark.outerHTML)"""


def stops(page: Any) -> list[dict[str, Any]]:
    """What the tabulator key reaches, one after the other, until it leaves the page."""
    found: list[dict[str, Any]] = []
    page.evaluate("(all) => document.querySelectorAll(all).forEach((each, i) => { each.dataset.stop = i; })", _FOCUSABLE)
    while True:
        page.keyboard.press("Tab")
        at = page.evaluate("""() => {
          const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement), { stop } = document.activeElement.dataset;
          return { stop, text: document.activeElement.textContent, seen: outlineStyle !== "none" && outlineWidth !== "0px" };
        }""")
        if at["stop"] is None or any(at["stop"] == before["stop"] for before in found):
            return found
        found.append(at)


@pytest.mark.parametrize("path", ["findings.html", "records/sigmoid.html"])
def test_the_keyboard_reaches_everything(visit: Visit, path: str) -> None:
    """The way past the navigation first, every link, field, button and scrolled region once, and one sees where one is."""
    page = visit.open(path)
    reached = stops(page)
    visible = page.locator(_FOCUSABLE).evaluate_all("all => all.filter((each) => each.checkVisibility()).map((each) => each.dataset.stop)")
    assert reached[0]["text"] == "Skip to the content"
    assert sorted(int(at["stop"]) for at in reached) == sorted(map(int, visible))
    assert [at["text"] for at in reached if not at["seen"]] == []


def test_the_keyboard_is_enough(visit: Visit) -> None:
    """To go past the navigation, to search, to choose and to scroll a table."""
    page = visit.open("scaling.html", width=NARROW)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    while not page.evaluate("document.activeElement.name === 'q'"):
        page.keyboard.press("Tab")
    page.keyboard.type("sigmoid")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.url.endswith("#q=sigmoid&operation=sigmoid")
    region = page.locator(".scroll:visible").first
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(region) => region.scrollLeft > 0", arg=region.element_handle())


def test_code_is_copied(visit: Visit) -> None:
    """By a press of Enter; where the browser does not let it, it is selected."""
    page = visit.open("findings.html", context=visit.context(permissions=["clipboard-read", "clipboard-write"]))
    button, code = page.locator(".code button").first, page.locator(".code code").first.inner_text()
    button.press("Enter")
    page.wait_for_function("() => document.querySelector('.code button').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").strip() == code.strip()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    button.press("Enter")
    page.wait_for_function("() => document.querySelector('.code button').textContent.startsWith('Selected')")
    assert page.evaluate("getSelection().toString()").strip() == code.strip()


@pytest.mark.parametrize("path", ["benchmarks.html", "casebook.html", "comparison.html", "history/sigmoid.html", "operations/sigmoid.html"])
def test_every_figure_is_a_table_too(visit: Visit, path: str) -> None:
    """With a name for those who do not see it, and words under the mouse; what comes from results stands in all of them as text."""
    page = visit.open(path)
    assert draw(page)
    assert all(page.evaluate(f"() => Promise.all(({_TABLES})())"))
    names = page.locator(".js-plotly-plot").evaluate_all("all => all.map((plot) => plot.getAttribute('role') + ' ' + plot.ariaLabel)")
    assert all(re.match(r"img \w.{4}", name) for name in names)
    assert any(SCRIPT in text for text in page.locator("figure.plot").evaluate_all("all => all.map((each) => each.textContent)"))
    if path != "casebook.html":
        page.locator(".js-plotly-plot .point").first.hover(force=True)
        page.locator(".hoverlayer .hovertext").first.wait_for()


def test_a_surface_is_drawn(visit: Visit) -> None:
    """In three dimensions, next to curves that can be stepped through."""
    page = visit.open("casebook.html")
    draw(page)
    assert page.locator(".panel.space canvas").count()
    slider, out = page.locator(".stepper input").first, page.locator(".stepper output").first
    assert out.inner_text() == "15"
    slider.press("ArrowLeft")
    assert out.inner_text() == "0"


def test_without_scripts_everything_is_there(visit: Visit) -> None:
    """Every row and picture; nothing that would not work."""
    context = visit.context(java_script_enabled=False)
    for path in ("index.html", "findings.html", "benchmarks.html", "casebook.html"):
        page = visit.open(path, context=context)
        assert page.locator("main :is(tr, article):visible").count() > 3
        assert page.locator("form:visible, button:visible").count() == 0, path
    assert page.locator("noscript img, .picture:visible").count()


def test_paper_shows_all_and_nothing_to_press(visit: Visit) -> None:
    """No navigation; tables whole and light, what is folded open, figures as narrow as the sheet; afterwards all is as before."""
    page = visit.open("operations/sigmoid.html", theme="dark")
    draw(page)
    wide = page.locator(".main-svg").first.bounding_box()["width"]
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".top:visible, form:visible, .code button:visible, .data:visible, nav:visible").count() == 0
    assert page.locator("main details:not(.data):not([open])").count() == 0
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((each) => getComputedStyle(each).overflowX === 'visible')")
    assert page.locator(".main-svg").first.bounding_box()["width"] < 760 < wide
    assert page.evaluate("getComputedStyle(document.querySelector('.xtick text')).fill") == "rgb(27, 31, 36)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(".main-svg").first.bounding_box()["width"] == wide


def test_colour_is_never_alone(visit: Visit) -> None:
    """Every status has a mark of its own and a word, beside it or for those who listen."""
    assert len({kind.mark for kind in KINDS.values()}) == len(KINDS)
    context = visit.context(java_script_enabled=False)
    for path in ("index.html", "findings.html", "checks.html", "mutants.html", "casebook.html", "comparison.html", "records/sigmoid.html"):
        page = visit.open(path, context=context)
        assert page.evaluate(f"({_COLOURLESS})()") == [], path


@pytest.mark.parametrize("path", ["index.html", "findings.html", "environment.html", "checks.html"])
def test_names_that_are_markup_are_text(visit: Visit, path: str) -> None:
    """They are read as they were written; a dialog would be a problem of the visit."""
    page = unfolded(visit.open(path))
    assert SCRIPT in page.locator("main").evaluate("(main) => main.textContent")
    assert page.locator("main script:not([type='application/json'])").count() == 0
