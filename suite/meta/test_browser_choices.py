"""What a reader chooses on a page: filters, figures, colours. It shows at once, and the address says it."""

from __future__ import annotations

from typing import Any

import pytest

from suite.meta.browsing import Visit, draw, follow, unfolded

THROWS = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
"""Makes a browser that keeps nothing."""


def rows(page: Any) -> list[str]:
    """Texts of the rows that a page shows."""
    return list(page.locator(":is(tr, li)[data-s]:visible").all_inner_texts())


def anchor(page: Any) -> str:
    """What stands behind the page in its address."""
    return "".join(page.url.partition("#")[1:])


def captions(page: Any) -> list[str]:
    """What the figures say that they show."""
    draw(page)
    return list(page.locator("figcaption:visible").all_inner_texts())


def background(page: Any) -> str:
    """The colour of the page."""
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def ink(page: Any) -> str:
    """The colour of a figure's texts."""
    draw(page)
    return str(page.locator(".xtick text").first.evaluate("(text) => getComputedStyle(text).fill"))


@pytest.mark.parametrize(
    ("path", "name", "value", "word"),
    [
        ("scaling.html", "operation", "softmax", "softmax"),
        ("scaling.html", "backend", "numpy", "numpy"),
        ("findings.html", "dtype", "float16", "float16"),
        ("operations/sigmoid.html", "mode", "eager", "eager"),
        ("records/sigmoid.html", "status", "known", "K "),
        ("sweeps/sigmoid.html", "dtype", "float16", "float16"),
    ],
)
def test_a_filter_narrows_and_can_be_linked(visit: Visit, path: str, name: str, value: str, word: str) -> None:
    """What it leaves is what was asked for; a new page at its address shows the same; cleared, everything is back."""
    page = unfolded(visit.open(path))
    everything = rows(page)
    page.select_option(f"[data-filter] [name={name}]", value)
    left = rows(page)
    assert left == [text for text in everything if word in text]
    assert 0 < len(left) < len(everything)
    assert anchor(page) == f"#{name}={value}"
    again = unfolded(visit.open(path, anchor(page)))
    assert rows(again) == left
    assert again.input_value(f"[data-filter] [name={name}]") == value
    again.click("[data-filter] [type=reset]")
    assert (rows(again), anchor(again)) == (everything, "")


def test_a_search_takes_every_word(visit: Visit) -> None:
    """In any order; it is kept in the address as well, and what has no row left is gone with its heading."""
    page = unfolded(visit.open("records/sigmoid.html"))
    page.fill("[name=q]", "TYPEERROR")
    assert rows(page) == []
    page.fill("[name=q]", "expit  gradient_within")
    assert len(rows(page)) == 1
    assert "scipy.special.expit" in page.inner_text("main section:visible h2")
    assert anchor(page) == "#q=expit++gradient_within"
    assert rows(unfolded(visit.open("records/sigmoid.html", anchor(page)))) == rows(page)


def test_the_marks_of_the_first_page_are_filtered(visit: Visit) -> None:
    """By operation and mode too; rows and columns without any mark left go."""
    page = visit.open("index.html", "#operation=sigmoid&mode=eager")
    assert page.locator(".matrix .m[data-s]:visible").count() == 2
    assert page.locator(".matrix tbody tr:visible").count() == 1
    page.select_option("[name=backend]", "jax")
    assert page.locator(".matrix tbody tr:visible").count() == 0
    assert page.locator(".matrix thead th[data-col]:visible").all_inner_texts()[0].startswith("jax")


def test_choices_are_undone_one_by_one(visit: Visit) -> None:
    """By the browser's back button, and made again by forward; letters of a search are not."""
    page = visit.open("findings.html")
    page.select_option("[name=dtype]", "float16")
    page.locator("[name=q]").press_sequentially("sig")
    page.select_option("[name=backend]", "jax")
    for step, state in (("back", "#dtype=float16&q=sig"), ("back", ""), ("forward", "#dtype=float16&q=sig")):
        page.evaluate(f"history.{step}()")
        page.wait_for_function("(state) => location.hash === state", arg=state)
        page.wait_for_function("(q) => document.querySelector('[name=q]').value === q", arg="sig" if state else "")
        assert page.input_value("[name=backend]") == ""


def test_the_filter_goes_along_to_other_pages(visit: Visit) -> None:
    """By navigation, over pages that have no filter; a value that a page lacks still filters there, and says so."""
    page = visit.open("findings.html", "#dtype=float16&operation=sigmoid")
    for title in ("Checks", "Benchmarks"):
        follow(page, title)
    assert anchor(page) == "#operation=sigmoid&dtype=float16"
    assert rows(page) == []
    assert page.locator("[name=dtype] option:checked").inner_text() == "float16 (none here)"


def test_a_place_that_is_linked_is_shown(visit: Visit) -> None:
    """Though the filter hides it: then the filter goes."""
    page = visit.open("records/sigmoid.html", "#backend=numpy")
    place = page.evaluate("document.querySelector('section.case.off').id")
    page.evaluate("(id) => { location.hash = id; }", place)
    page.wait_for_function("(id) => document.getElementById(id).checkVisibility()", arg=place)
    assert page.input_value("[name=backend]") == ""


@pytest.mark.parametrize(
    ("path", "name", "value", "key"),
    [
        ("benchmarks.html", "pass", "gradient", "figure.pass"),
        ("operations/sigmoid.html", "dtype", "float32", "errors.dtype"),
        ("comparison.html", "verdict", "slower", "figure.verdict"),
    ],
)
def test_what_a_figure_shows_can_be_linked(visit: Visit, path: str, name: str, value: str, key: str) -> None:
    """Beside the page's filter: a new page at its address shows the same, and back undoes it."""
    page = visit.open(path, "#backend=jax")
    before = captions(page)
    page.select_option(f".figures [name={name}]", value)
    chosen = captions(page)
    assert chosen != before
    assert anchor(page) == f"#backend=jax&{key}={value.replace(' ', '+')}"
    assert captions(visit.open(path, anchor(page))) == chosen
    page.go_back()
    page.wait_for_function("([name, value]) => document.querySelector(`.figures [name=${name}]`).value !== value", arg=[name, value])
    assert captions(page) == before


def test_whose_figures_a_chapter_shows_can_be_linked(visit: Visit) -> None:
    """For each chapter of the casebook."""
    page = visit.open("casebook.html")
    draw(page)
    page.select_option("[data-figures-of=C1] select", index=1)
    assert anchor(page).startswith("#figure.C1=")
    again = visit.open("casebook.html", anchor(page))
    draw(again)
    assert again.locator("[data-figures-of=C1] select option").nth(1).evaluate("(option) => option.selected")


def test_colours_follow_the_system_until_one_chooses(visit: Visit) -> None:
    """Pages and figures; the choice stays from page to page, and goes back to the system's."""
    page = visit.open("benchmarks.html")
    light = (background(page), ink(page))
    page.emulate_media(color_scheme="dark")
    dark = (background(page), ink(page))
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    page.click("button.theme")
    assert (page.inner_text("button.theme"), background(page), ink(page)) == ("Colours: light", *light)
    follow(page, "Checks")
    assert background(page) == light[0]
    page.click("button.theme")
    page.emulate_media(color_scheme="light")
    assert (page.inner_text("button.theme"), background(page)) == ("Colours: dark", dark[0])


def test_a_browser_that_keeps_nothing_is_no_obstacle(visit: Visit) -> None:
    """Colours are then chosen for a page."""
    context = visit.context()
    context.add_init_script(THROWS)
    page = visit.open("checks.html", context=context)
    light = background(page)
    page.click("button.theme")
    page.click("button.theme")
    assert page.inner_text("button.theme") == "Colours: dark"
    assert background(page) != light
