"""What a page may do, as its content security policy says: use the scripts and styles beside it, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly ships no types

_POLICY = "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{styles}; img-src 'self'; base-uri 'none'; form-action 'none'"

_SINGLE = "default-src 'none'; script-src {scripts}; style-src 'unsafe-hashes' {styles}; img-src data:; base-uri 'none'; form-action 'none'"

_STYLES = ("", "font-size:70%", "font-weight:bold")
"""What Plotly writes as styles: an empty sheet, which it fills rule by rule, as scripts may; exponents, and bold words in texts. Other
styles it sets property by property, as scripts may too. A page with figures allows these three texts by their hashes, and no other."""


@cache
def policy(figures: bool) -> str:
    """The policy of a page, with or without figures."""
    if not figures:
        return _POLICY.format(scripts="", styles="")
    return _POLICY.format(scripts=f" {hashes([get_plotlyjs()])}", styles=f" 'unsafe-hashes' {hashes(_STYLES)}")


def single(scripts: Iterable[str], style: str) -> str:
    """The policy of a report in one file: exactly these scripts, and this style sheet."""
    return _SINGLE.format(scripts=hashes(scripts), styles=hashes([style, *_STYLES]))


def hashes(texts: Iterable[str]) -> str:
    """Texts as a policy allows them."""
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


@cache
def claimed() -> tuple[str, ...]:
    """Ids of the style elements that Plotly brings along for its maps, which no figure here is.

    It leaves an element out whose id it finds taken on the page; otherwise the policy would block it, with an error.
    """
    return tuple(dict.fromkeys(re.findall(r'document\.getElementById\("([0-9a-f]{64})"\)', get_plotlyjs())))
