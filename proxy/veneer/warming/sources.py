"""Where targets to warm come from: a list, a sitemap, or an access log."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from veneer.core.redact import MASK

MAX_TARGETS = 100_000

_LOC = re.compile(r"<loc>\s*([^<\s][^<]*?)\s*</loc>")
_COMMON_LOG = re.compile(r'"GET (\S+) HTTP/[\d.]+" (\d{3})')


@dataclass(frozen=True, slots=True)
class WarmTarget:
    """What to ask for: path and query, and the host to ask for it under; None is the proxy's own address."""

    target: str
    host: str | None = None


def parse_target(text: str) -> WarmTarget | None:
    """A target from a path or an http(s) URL; None for anything else."""
    if text.startswith("/"):
        return WarmTarget(text.partition("#")[0])
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        return None
    return WarmTarget((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), parts.netloc.lower())


def read_targets(text: str) -> list[WarmTarget]:
    """The distinct targets in a text, the most frequent first, at most `MAX_TARGETS`.

    A sitemap is known by its first character; a line of an access log in JSON or in the common log format counts when
    it is a GET that was answered with 200; any other line is a path or a URL. Lines that are none of these are skipped.
    """
    found = _sitemap(text) if text.lstrip().startswith("<") else _lines(text.splitlines())
    return [target for target, _ in Counter(found).most_common(MAX_TARGETS)]


def _sitemap(text: str) -> Iterator[WarmTarget]:
    for place in _LOC.finditer(text):
        target = parse_target(html.unescape(place[1]))
        if target is not None:
            yield target


def _lines(lines: Iterable[str]) -> Iterator[WarmTarget]:
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        target = _of_json(text) if text.startswith("{") else _of_text(text)
        if target is not None:
            yield target


def _of_text(line: str) -> WarmTarget | None:
    logged = _COMMON_LOG.search(line)
    if logged is not None:
        return parse_target(logged[1]) if logged[2] == "200" else None
    return parse_target(line) if " " not in line else None


def _of_json(line: str) -> WarmTarget | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("method") != "GET" or record.get("status") != 200:
        return None
    path, query = record.get("path"), record.get("query")
    if not isinstance(path, str):
        return None
    if isinstance(query, str) and f"={MASK}" in query:
        return None  # the log does not hold the target
    return parse_target(f"{path}?{query}" if isinstance(query, str) else path)
