"""A report as one single file: its pages, scripts and figures' data packed into one, which shows the page that its address asks for.

A link is ``?page=operations/sigmoid.html#anchor``: the browser loads the file anew, so that going back, anchors and the filter's state
behind the ``#`` work as in the folder, and a page's scripts run as they do there. Still pictures are left out.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly ships no types

from reports.packed import NAME as PLOTLY
from reports.packed import compressed
from reports.policy import claimed, single

NAME = "report.html"

_FIRST = "index.html"
_LINK = re.compile(r'(?<= )href="([^"#:]+)(#[^"]*)?"')
_SCRIPT = re.compile(r'<script (?:defer )?src="([^"]+)"')
_STILL = re.compile(r'<a class="soft still" [^>]*>[^<]*</a>|<noscript>.*?</noscript>', re.DOTALL)


def pack(files: Iterable[tuple[str, str | bytes]], templates: jinja2.Environment) -> str:
    """The single file, of all the files of a report."""
    texts = {name: content for name, content in files if isinstance(content, str)} | {PLOTLY: get_plotlyjs()}
    pages = {name: _page(name, content) for name, content in texts.items() if name.endswith(".html")}
    loaded = {name for page in pages.values() for name in page["scripts"]}
    sources = {name: texts[name] for name in texts if name.endswith(".js") and (name in loaded or not name.startswith("static/"))}
    theme, style = texts["static/theme.js"], texts["static/style.css"]
    boot, _, _ = templates.loader.get_source(templates, "boot.js") if templates.loader else ("", None, None)
    shown = {
        "policy": single([theme, boot, *sources.values()], style),
        "claimed": claimed(),
        "icon": f"data:image/svg+xml,{quote(texts['static/icon.svg'])}",
        "theme": Markup(theme),  # noqa: S704 - scripts and styles of our own, which hold no closing tag
        "style": Markup(style),  # noqa: S704
        "boot": Markup(boot),  # noqa: S704
        "first": Markup(pages[_FIRST]["body"]),  # noqa: S704 - a page that has been escaped
        "report": {
            "pages": {name: {**page, "body": compressed(page["body"])} for name, page in pages.items()},
            "sources": {name: compressed(source) for name, source in sources.items()},
        },
    }
    return templates.get_template("single.j2").render(shown)


def _page(path: str, content: str) -> Mapping[str, Any]:
    """What is shown of a page, with the scripts that it loads but the one that stands in the head."""
    head, _, body = content.partition("<body>")
    title = re.search("<title>(.*?)</title>", head, re.DOTALL)
    scripts = [_resolved(path, name) for name in _SCRIPT.findall(head)]
    linked = _LINK.sub(
        lambda found: f'href="?page={_resolved(path, found[1])}{found[2] or ""}"', _STILL.sub("", body.rpartition("</body>")[0])
    )
    return {
        "title": html.unescape(title[1]) if title else path,
        "scripts": [name for name in scripts if name != "static/theme.js"],
        "body": linked,
    }


def _resolved(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
