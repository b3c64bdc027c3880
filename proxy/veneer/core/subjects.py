"""The subjects that an event names and that an entry answers to: the two meet in the table of recent invalidations.

The grammar is that of `core.invalidation`: "t:a:b" a tag, "t:a:*" a tag and all below it, "u:<uri>", "p:<uri prefix>",
"*". URIs come in two forms, "authority/path?query" and "/path?query"; an entry answers to both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from veneer.core.entry import Entry
from veneer.core.invalidation import Invalidation

EVERYTHING: Final = "*"


def named(invalidation: Invalidation) -> Iterator[str]:
    """The subjects of an event."""
    if invalidation.everything or EVERYTHING in invalidation.tags:
        yield EVERYTHING
        return
    for tag in invalidation.tags:
        yield f"t:{tag}"
    for uri in invalidation.uris:
        yield f"u:{uri}"
    for prefix in invalidation.uri_prefixes:
        yield f"p:{prefix}"


def answered(entry: Entry) -> tuple[str, ...]:
    """The subjects an entry answers to, less "*" and the URI prefixes, of which there is one per byte."""
    subjects: list[str] = []
    for tag in entry.tags:
        subjects.append(f"t:{tag}")
        subjects.append(f"t:{tag}:*")
        end = tag.find(":")
        while end != -1:
            subjects.append(f"t:{tag[:end]}:*")
            end = tag.find(":", end + 1)
    subjects.append(f"u:{entry.uri}")
    subjects.append(f"u:{path_of(entry.uri)}")
    return tuple(dict.fromkeys(subjects))


def prefixes(entry: Entry, lengths: Iterable[int]) -> Iterator[str]:
    """The URI prefix subjects an entry answers to, of the lengths (in bytes of the prefix) that are in use."""
    path = path_of(entry.uri)
    for length in lengths:
        if length <= len(entry.uri):
            yield f"p:{entry.uri[:length]}"
        if length <= len(path):
            yield f"p:{path[:length]}"


def path_of(uri: str) -> str:
    """The form of a URI that holds for every authority: from its first "/"."""
    start = uri.find("/")
    return uri[start:] if start > 0 else uri
