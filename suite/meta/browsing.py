"""A report in a real browser: every page opened keeps a record of what went wrong in it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlparse

VARIABLE = "LOGITBENCH_BROWSER"
"""Names the browser to test with. Where it is set, a browser that is missing is an error, and no reason to skip."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--enable-unsafe-swiftshader",)
"""Surfaces are drawn by WebGL, here without a graphics card."""

WIDE, NARROW = 1440, 390
GRAVE = ("serious", "critical")

_SCROLL = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  for (const figure of document.querySelectorAll("figure.plot, [data-figures-of]")) {
    figure.scrollIntoView();
    await frame();
  }
  scrollTo(0, 0);
}"""
_DRAWN = """() => {
  const boxes = [...document.querySelectorAll("figure.plot .canvas, figure.plot .panels, figure.plot .panel")];
  const drawn = (box) => box.querySelector(":scope.js-plotly-plot .main-svg, .js-plotly-plot .main-svg");
  return boxes.filter((box) => box.checkVisibility()).every(drawn) && document.fonts.ready;
}"""


def installed() -> str:
    """The browser's path; empty if there is none."""
    return shutil.which(os.environ.get(VARIABLE) or next(filter(shutil.which, BROWSERS), "")) or ""


@dataclass
class Visit:
    """Pages of a report, opened one after the other. ``problems`` are errors, dialogs, and requests for anything but the report."""

    browser: Any
    root: Path
    problems: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def context(self, theme: str = "light", width: int = WIDE, **options: Any) -> Any:
        """A new browser profile, whose pages are watched."""
        made = self.browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        made.set_default_timeout(60_000)
        self.contexts.append(made)
        made.on("console", lambda message: self._note(message.type in ("error", "assert"), f"console: {message.text}"))
        made.on("weberror", lambda error: self._note(True, f"uncaught: {error.error}"))
        made.on("dialog", self._dialog)
        made.on("request", lambda request: self._note(not self._own(request.url), f"request: {request.url[:200]}"))
        made.on("requestfailed", lambda request: self._note(True, f"failed: {request.url[:200]}"))
        return made

    def open(self, path: str = "index.html", anchor: str = "", context: Any = None, **options: Any) -> Any:
        """A page of the report, loaded, in a context of its own or in this one."""
        page = (context or self.context(**options)).new_page()
        page.goto((self.root / path).as_uri() + anchor, wait_until="load")
        return page

    def _own(self, url: str) -> bool:
        return url.startswith(("data:", "blob:")) or Path(unquote(urlparse(url).path)).is_relative_to(self.root)

    def _note(self, wrong: bool, text: str) -> None:
        if wrong:
            self.problems.append(text)

    def _dialog(self, dialog: Any) -> None:
        self._note(True, f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self) -> None:
        """Ends all contexts."""
        for context in self.contexts:
            context.close()

    @cached_property
    def pages(self) -> list[str]:
        """Every page of the report, by its path."""
        return sorted(page.relative_to(self.root).as_posix() for page in self.root.rglob("*.html"))


def draw(page: Any) -> int:
    """Looks at every figure of a page until all are drawn, and counts those that show anything."""
    page.evaluate(_SCROLL)
    page.wait_for_function(_DRAWN)
    return int(page.evaluate("[...document.querySelectorAll('.js-plotly-plot')].filter((plot) => plot.data.length).length"))


def follow(page: Any, title: str) -> None:
    """Goes to another section of the report by its navigation."""
    with page.expect_navigation():
        page.click(f".top nav a:text('{title}')")


def unfolded(page: Any) -> Any:
    """A page with everything on it unfolded, but for the data of figures."""
    page.evaluate("for (const each of document.querySelectorAll('details:not(.data)')) each.open = true;")
    return page


def broken(page: Any, root: Path) -> list[str]:
    """Links of a page, as its scripts have left them, that lead nowhere."""
    links: list[str] = page.evaluate("[...document.links].map((link) => link.href).filter((href) => !href.startsWith('https:'))")
    return [link for link in dict.fromkeys(links) if not _leads(link, root)]


def _leads(link: str, root: Path) -> bool:
    address, anchor = urldefrag(link)
    path = Path(unquote(urlparse(address).path))
    inside = path.is_relative_to(root) and path.is_file()
    return inside and (not anchor or "=" in anchor or f' id="{unquote(anchor)}"' in _text(path))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def violations(page: Any) -> list[str]:
    """What axe-core finds that keeps people out, each with its first place."""
    from axe_playwright_python.sync_playwright import Axe

    # Styles are not loaded once more to be read: the policy would not let it.
    found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in GRAVE]


def overflow(page: Any) -> int:
    """By how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
