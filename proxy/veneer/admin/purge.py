"""What a purge asks for, from JSON to an event of the invalidation log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Annotated

import msgspec

from veneer.admin.views import DryRun, SharedEstimate
from veneer.core.entry import Entry
from veneer.core.fields import Fields
from veneer.core.invalidating import filed, searched_of, uris_of
from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.core.messages import RequestHead
from veneer.core.percent import has_bad_percent
from veneer.core.subjects import EVERYTHING, answered, named, prefixes
from veneer.core.tags import BadTagError, names_of
from veneer.core.target import DEFAULT_PORTS, normalise_path
from veneer.policy.model import Policy
from veneer.stores.sampler import Sample

MAX_NAMES = 1_000
_SCANNED_MOST = 200_000
_SCANNED_AT_ONCE = 1_000
_NOTED_TAGS = 10_000
_SHOWN_TAGS = 20
_NAMES_SHOWN = 5

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=8_192)]
Names = Annotated[list[Name], msgspec.Meta(max_length=MAX_NAMES)]


class PurgeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /purge. `soft` makes stale what it names instead of forgetting it; `dry_run` only looks."""

    tags: Names = []
    urls: Names = []
    prefixes: Names = []
    everything: bool = False
    soft: bool = False
    dry_run: bool = False

    def __str__(self) -> str:
        """What is asked for, on one line; the first names of each kind where there are many."""
        kinds = (("tags", self.tags), ("URLs", self.urls), ("URLs that begin with", self.prefixes))
        parts = ["everything"] if self.everything else [f"{kind} {_listed(names)}" for kind, names in kinds if names]
        return "; ".join(parts) + (", softly" if self.soft else "")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(repr(name[:200])[1:-1] for name in names[:_NAMES_SHOWN]) + (
        f" and {more} more" if more > 0 else ""
    )


class PurgeError(ValueError):
    """The purge makes no sense; the text says what, where, and what would be right."""


def together(runs: Sequence[DryRun]) -> DryRun:
    """What a purge would reach in the memory of several processes that share one Redis."""
    tags = frozenset(tag for run in runs for tag in run.tags)
    spared = frozenset(tag for run in runs for tag in run.spared)
    uris = frozenset(uri for run in runs for uri in run.uris)
    return DryRun(
        entries=sum(run.entries for run in runs),
        bytes=sum(run.bytes for run in runs),
        looked_at=sum(run.looked_at for run in runs),
        complete=all(run.complete for run in runs),
        shared_estimate=next((run.shared_estimate for run in runs if run.shared_estimate is not None), None),
        tags=tuple(sorted(tags)[:_SHOWN_TAGS]),
        spared=tuple(sorted(spared - tags)[:_SHOWN_TAGS]),
        uris=tuple(sorted(uris)[:_SHOWN_TAGS]),
    )


def parse_purge(body: bytes) -> PurgeRequest:
    """The request. Raises PurgeError."""
    try:
        request = msgspec.json.decode(body, type=PurgeRequest)
    except msgspec.MsgspecError as error:
        msg = f'{error}; right is, for example, {{"tags": ["users:*"]}}'
        raise PurgeError(msg) from error
    if not (request.tags or request.urls or request.prefixes or request.everything):
        raise PurgeError('nothing to purge: name "tags", "urls" or "prefixes", or say "everything": true')
    return request


def invalidation_of(request: PurgeRequest, policy: Policy) -> Invalidation:
    """The event. URLs become what entries are filed under, by the key rules of the route that GET would take.

    Raises PurgeError.
    """
    tags = [name for tag in request.tags for name in _tag(tag)]
    uris: list[str] = []
    for url in request.urls:
        wanted = _wanted(url, policy)
        uris += uris_of(wanted, policy.keyed_as(wanted.path, wanted.query))
        tags += searched_of(wanted)
    return Invalidation(
        tags=_distinct(tags),
        uris=_distinct(uris),
        uri_prefixes=_distinct(_prefix(prefix) for prefix in request.prefixes),
        everything=request.everything or "*" in request.tags,
        strength=InvalidationMode.SOFT if request.soft else InvalidationMode.HARD,
    )


def _tag(tag: str) -> tuple[str, ...]:
    try:
        return names_of(tag)
    except BadTagError as error:
        raise PurgeError(str(error)) from error


def _wanted(url: str, policy: Policy) -> RequestHead:
    """The request for a URL; without an authority where it is that of every host."""
    authority, target = _split(url, "url")
    path_text, question, query = target.partition("?")
    path = normalise_path(path_text, policy.kept)
    if not isinstance(path, str):
        msg = f"url {url[:200]!r}: such a path is never stored ({path.value})"
        raise PurgeError(msg)
    return RequestHead("GET", path, query if question else None, authority, Fields())


def _prefix(text: str) -> str:
    authority, target = _split(text, "prefix")
    if has_bad_percent(target):
        msg = f'prefix {text[:200]!r}: a "%" without two hex digits'
        raise PurgeError(msg)
    return authority + filed(target)


def _split(text: str, what: str) -> tuple[str, str]:
    """Authority (empty for all of them) and the rest from "/" on."""
    if not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        msg = f'{what} {text[:200]!r}: printable ASCII without spaces and without "#"; encode the rest with "%"'
        raise PurgeError(msg)
    if text.startswith("/"):
        return "", text
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, target = rest[:cut].lower(), rest[cut:]
    if not separator or scheme not in DEFAULT_PORTS or not authority or "@" in authority:
        msg = f'{what} {text[:200]!r}: write "http://host/path" for one host or "/path" for every host'
        raise PurgeError(msg)
    return authority.removesuffix(f":{DEFAULT_PORTS[scheme]}"), target if target.startswith("/") else f"/{target}"


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


async def dry_run(event: Invalidation, entries: Iterable[Entry], samples: Sequence[Sample] | None = None) -> DryRun:
    """Count what the event names, giving way to other work in between."""
    stored = list(islice(entries, _SCANNED_MOST + 1))
    subjects = frozenset(named(event))
    lengths = tuple({len(prefix) for prefix in event.uri_prefixes})
    found = size = 0
    reached, others = _Seen(), _Seen()
    for index, entry in enumerate(stored[:_SCANNED_MOST]):
        if index % _SCANNED_AT_ONCE == 0:
            await asyncio.sleep(0)
        if _names(subjects, lengths, entry):
            found += 1
            size += entry.size_bytes
            reached.note(entry)
        else:
            others.note(entry)
    for key in [key for sample in samples or () for key in sample.read]:
        (reached if _names(subjects, lengths, key.one) else others).note(key.one)
    shared = None if samples is None else _estimate(samples, lambda entry: _names(subjects, lengths, entry))
    return DryRun(
        entries=found,
        bytes=size,
        looked_at=min(len(stored), _SCANNED_MOST),
        complete=len(stored) <= _SCANNED_MOST,
        shared_estimate=shared,
        tags=tuple(sorted(reached.tags)[:_SHOWN_TAGS]),
        spared=_alike(event.tags, others.tags - reached.tags),
        uris=tuple(sorted(reached.uris)[:_SHOWN_TAGS]),
    )


class _Seen:
    """Some of what was seen of entries."""

    def __init__(self) -> None:
        self.tags: set[str] = set()
        self.uris: set[str] = set()

    def note(self, entry: Entry) -> None:
        if len(self.tags) < _NOTED_TAGS:
            self.tags.update(entry.tags)
        if len(self.uris) < _SHOWN_TAGS:
            self.uris.add(entry.uri)


def _alike(named_tags: Iterable[str], others: set[str]) -> tuple[str, ...]:
    """Those of the other tags whose first word is nearly that of a named one."""
    words = {tag.partition(":")[0] for tag in others}
    near: set[str] = set()
    for tag in named_tags:
        near.update(get_close_matches(tag.partition(":")[0], words, cutoff=0.75))
    return tuple(sorted(tag for tag in others if tag.partition(":")[0] in near)[:_SHOWN_TAGS])


def _estimate(samples: Sequence[Sample], names: Callable[[Entry], bool]) -> SharedEstimate:
    """From what was read of each server to all that it holds."""
    entries = raw = keys = 0.0
    for sample in samples:
        reached = [key for key in sample.read if names(key.one)]
        entries += sample.weight * sum(key.responses for key in reached)
        raw += sample.weight * sum(key.size_bytes for key in reached)
        keys += sample.weight * len(sample.read)
    read = sum(len(sample.read) for sample in samples)
    return SharedEstimate(round(entries), round(raw), round(keys), read, all(sample.complete for sample in samples))


def _names(subjects: frozenset[str], lengths: tuple[int, ...], entry: Entry) -> bool:
    if EVERYTHING in subjects or not subjects.isdisjoint(answered(entry)):
        return True
    return not subjects.isdisjoint(prefixes(entry, lengths))
