"""The report as one file: everything is in it, nothing in it can break out, and its links lead on inside it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from reports.html import build
from suite.meta.browsing import Visit, draw, follow
from suite.meta.sample_results import SCRIPT, everything

SCRIPT_ELEMENT = re.compile(r"<script(?: type=\"([^\"]+)\" id=\"(\w+)\")?>(.*?)</script>", re.DOTALL)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of one of everything, as one file."""
    folder = tmp_path_factory.mktemp("single")
    for number, lines in enumerate(everything()):
        (folder / f"{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    alone = folder / "alone" / "report.html"
    alone.parent.mkdir()
    return build([folder], folder / "html", single_file=True).with_name("report.html").replace(alone)


def unpacked(text: str) -> str:
    """What a page or a script is."""
    return gzip.decompress(base64.b64decode(text)).decode()


@pytest.fixture(scope="module")
def report(single: Path) -> Any:
    """Its pages and scripts, unpacked."""
    (data,) = (text for kind, _, text in SCRIPT_ELEMENT.findall(single.read_text(encoding="utf-8")) if kind)
    found = json.loads(data)
    pages = {name: {**page, "body": unpacked(page["body"])} for name, page in found["pages"].items()}
    return {"pages": pages, "sources": {name: unpacked(text) for name, text in found["sources"].items()}}


def digest(text: str) -> str:
    """As a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class TestContent:
    """What stands in the file."""

    def test_it_has_every_page_of_the_folder(self, single: Path, report: Any) -> None:
        """Under the same names, with the same titles."""
        folder = single.parent.parent / "html"
        pages = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}
        assert set(report["pages"]) == pages
        assert report["pages"]["operations/sigmoid.html"]["title"] == "sigmoid · logitbench"

    def test_every_link_leads_to_a_page_and_an_anchor(self, report: Any) -> None:
        """Inside the file, or to the web."""
        ids = {name: set(re.findall(r' id="([^"]+)"', page["body"])) for name, page in report["pages"].items()}
        for name, page in report["pages"].items():
            for link in re.findall(r' href="([^"]*)"', page["body"]):
                path, _, anchor = link.partition("#")
                target = path.removeprefix("?page=") if path else name
                assert link.startswith("https://") or (target in ids and (not anchor or "=" in anchor or anchor in ids[target])), (
                    f"{name}: {link}"
                )

    def test_every_script_is_there_and_allowed(self, single: Path, report: Any) -> None:
        """By its hash; and so is the style sheet. Nothing else is."""
        text = single.read_text(encoding="utf-8")
        policy = re.search(r'Security-Policy" content="([^"]*)"', text)
        assert policy is not None
        scripts = policy[1].replace("&#39;", "'").split("script-src ")[1].split(";")[0].split()
        inline = [source for kind, _, source in SCRIPT_ELEMENT.findall(text) if not kind]
        assert set(scripts) == {digest(each) for each in [*inline, *report["sources"].values()]}
        assert digest(text.split("<style>")[1].split("</style>")[0]) in policy[1].replace("&#39;", "'")
        assert {name for page in report["pages"].values() for name in page["scripts"]} <= set(report["sources"])
        assert not re.findall(r"<(?:script|img|link|iframe)[^>]* (?:src|href)=\"(?!data:)", text)

    def test_nothing_breaks_out(self, single: Path) -> None:
        """Names from results stand escaped, or packed; the first page is there for readers without JavaScript."""
        text = single.read_text(encoding="utf-8")
        assert SCRIPT not in text
        assert text.count("</script>") == 3
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text.split("<noscript>")[1].split("</noscript>")[0]

    def test_the_command_writes_it(self, single: Path, tmp_path: Path) -> None:
        """Beside the folder's first page; a later build without it takes it away."""
        files = sorted(map(str, single.parent.parent.glob("*.jsonl")))
        assert main(["build", *files, "--output", str(tmp_path), "--single-file"]) == 0
        assert (tmp_path / "report.html").read_bytes() == single.read_bytes()
        assert main(["build", *files, "--output", str(tmp_path)]) == 0
        assert not (tmp_path / "report.html").exists()


@pytest.fixture
def reader(browser: Any, single: Path) -> Any:
    """A reader of the file, to whom nothing bad may happen; requests for anything else are bad."""
    made = Visit(browser, single.parent)
    yield made
    made.close()
    assert made.problems == []


def opened(reader: Visit, query: str = "") -> Any:
    """A page of the file, once it is shown."""
    page = reader.open("report.html", query)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


class TestBrowser:
    """The file in a browser."""

    def test_it_opens_with_the_overview_and_leads_on(self, reader: Visit) -> None:
        """By the navigation; going back works, and what else the address asks for stays in it."""
        page = opened(reader, "?signature=a%2Bb")
        assert page.title() == "Overview · logitbench"
        follow(page, "Findings")
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.title() == "Findings · logitbench"
        assert page.url.endswith("?signature=a%2Bb&page=findings.html")
        page.go_back()
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.title() == "Overview · logitbench"

    def test_figures_are_drawn(self, reader: Visit) -> None:
        """On every page that has any, those of the casebook too."""
        for name in ("operations/sigmoid.html", "casebook.html"):
            page = opened(reader, f"?page={name}")
            assert draw(page) > 0
            page.close()

    def test_an_anchor_and_a_filter_are_found(self, reader: Visit, report: Any) -> None:
        """As in the folder."""
        anchor = re.findall(r'<article class="finding [^>]* id="([^"]+)"', report["pages"]["findings.html"]["body"])[-1]
        page = opened(reader, f"?page=findings.html#{anchor}")
        assert page.evaluate("document.querySelector(':target')?.id") == anchor
        filtered = opened(reader, "?page=findings.html#q=nothing+is+called+so")
        assert filtered.locator("form[data-filter] output").inner_text().startswith("Showing 0 of ")

    def test_an_unknown_page_is_the_overview(self, reader: Visit) -> None:
        """Names of things that every object has among them."""
        for name in ("gone.html", "constructor", "__proto__"):
            assert opened(reader, f"?page={name}").title() == "Overview · logitbench"
