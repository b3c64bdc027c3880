"""The cache key (RFC 9111 sections 2 and 4) and the URI by which an entry can be invalidated.

The query is part of both: parameters kept, dropped or sorted, and No-Vary-Search (its IETF draft, section 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from veneer.core.digests import digest_of_parts
from veneer.core.entry import Entry
from veneer.core.fields import Fields, Pair
from veneer.core.headers import split_quoted
from veneer.core.messages import RequestHead
from veneer.core.percent import folded, normalise_percent
from veneer.core.rules import CacheRules, KeyRules
from veneer.core.sharing import keyed_cookies, withheld
from veneer.core.structured import is_token, parse_dictionary
from veneer.core.vary import normalise

KEYED_FORWARDING_FIELDS: Final = ("x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto")
"""What a trusted proxy says of the client's own request. Backends make links and redirects of it, so it is keyed; a
stranger's are gone before a key is made (core.forwarding)."""


@dataclass(frozen=True, slots=True)
class NoVarySearch:
    """What of a query does not change the response: the order, all parameters but some, or some parameters."""

    key_order: bool = False
    except_all: bool = False
    names: frozenset[str] = frozenset()
    """The parameters to ignore; with `except_all` the only ones that count."""

    def keeps(self, name: str) -> bool:
        """Whether the (decoded) parameter counts."""
        return (name in self.names) if self.except_all else (name not in self.names)


def no_vary_search(fields: Fields) -> NoVarySearch | None:
    """The response's No-Vary-Search; None when it is absent, malformed or says nothing. Parsed once per Fields."""
    if "no-vary-search" not in fields.joined:
        return None
    return fields.once(_parse)


def _parse(fields: Fields) -> NoVarySearch | None:
    members = parse_dictionary(fields.get("no-vary-search") or "")
    if members is None:
        return None
    key_order, params, exception = members.get("key-order", False), members.get("params", False), members.get("except")
    if not isinstance(key_order, bool):
        return None
    if isinstance(params, list):
        names = _names(params)
        found = None if names is None or exception is not None else NoVarySearch(key_order, False, names)
    elif params is True:
        names = _names(exception) if isinstance(exception, list) else frozenset[str]()
        unusable = names is None or (exception is not None and not isinstance(exception, list))
        found = None if unusable else NoVarySearch(key_order, True, names or frozenset())
    elif params is False and exception is None:
        found = NoVarySearch(key_order)
    else:
        found = None
    return None if found == NoVarySearch() else found


def _names(members: list[object]) -> frozenset[str] | None:
    """The decoded parameter names of an inner list of strings."""
    names: set[str] = set()
    for member in members:
        if not isinstance(member, str) or is_token(member):
            return None
        names.add(unquote_plus(member))
    return frozenset(names)


def normalised_query(query: str | None, rules: KeyRules, search: NoVarySearch | None = None) -> str | None:
    """The query as it enters the key: percent-encoding normalised, parameters chosen and ordered by the rules.

    A query that loses all its parameters counts as no query.
    """
    if query is None:
        return None
    text = normalise_percent(query)
    choosing = rules.query_only is not None or bool(rules.query_except) or rules.query_sort
    if not choosing and not rules.query_defaults and search is None:
        return text
    pairs = [(unquote_plus(part.partition("=")[0]), part) for part in text.split("&") if part]
    if rules.query_defaults:
        pairs = _told(pairs, rules.query_defaults)
    if rules.query_only is not None:
        pairs = [pair for pair in pairs if pair[0] in rules.query_only]
    pairs = [pair for pair in pairs if pair[0] not in rules.query_except and (search is None or search.keeps(pair[0]))]
    if rules.query_only is not None or rules.query_sort or (search is not None and search.key_order):
        pairs.sort(key=lambda pair: pair[0])
    return "&".join(part for _, part in pairs) or None


def _told(pairs: list[Pair], defaults: tuple[Pair, ...]) -> list[Pair]:
    """The parameters less those that say what holds without them. Of one that is there twice nobody can tell."""
    names = [name for name, _ in pairs]
    spared = [one for one in defaults if names.count(one[0]) == 1]
    return [pair for pair in pairs if (pair[0], unquote_plus(pair[1].partition("=")[2])) not in spared]


def uri(request: RequestHead, rules: KeyRules, search: NoVarySearch | None = None) -> str:
    """Authority, path and the normalised query: what URI invalidations name.

    `Entry.uri` is made with the response's own No-Vary-Search. The path is folded (core.percent): the spellings of it
    that servers take for one have one name here, though each has a key of its own.
    """
    query = normalised_query(request.query, rules, search)
    path = folded(request.path)
    return request.authority + (path if query is None else f"{path}?{query}")


def cache_key(
    request: RequestHead, rules: CacheRules, *, body_digest: str | None = None, search: NoVarySearch | None = None
) -> str:
    """The text under which responses to `request` are stored. HEAD and a cacheable POST share the key of GET.

    Each part is preceded by its length, so that no two different requests can make the same text. `body_digest`
    belongs to QUERY. `search` is the No-Vary-Search that earlier responses of this path carried.
    """
    query = normalised_query(request.query, rules.key, search)
    return key_within(key_frame(request, rules), request.path, query, body_digest)


def key_frame(request: RequestHead, rules: CacheRules) -> tuple[str, str]:
    """What stands before and behind the target in a key: the same for requests that differ in nothing else."""
    method, scheme, authority = request.method, request.scheme, request.authority
    start = "5:QUERY" if method == "QUERY" else "3:GET"
    asked, end = request.fields.joined, ""
    for name in KEYED_FORWARDING_FIELDS:
        if name in asked:
            end += _part(f"{name}={asked[name]}")
    for name in rules.key.headers:
        value = normalise(name, asked.get(name), rules.codings)
        end += _part(name + ("-" if value is None else "=" + value))
    if rules.cookies.key:
        cookies = keyed_cookies(request.fields, rules.cookies)
        end += _part("cookies" + ("-" if cookies is None else "=" + cookies))
    if rules.scope is not None:
        end += _part("scope=" + rules.scope.name)
    if rules.stored_under:
        end += _part("under=" + rules.stored_under)
    return f"{start}{len(scheme)}:{scheme}{len(authority)}:{authority}", end


def key_within(frame: tuple[str, str], path: str, query: str | None, body_digest: str | None = None) -> str:
    """The key of a target; `query` is normalised. See `cache_key`."""
    before, behind = frame
    asked = "1:-" if query is None else _part("?" + query)
    content = "" if body_digest is None else _part(body_digest)
    return f"{before}{len(path)}:{path}{asked}{content}{behind}"


def _part(text: str) -> str:
    return f"{len(text)}:{text}"


def flight_key(key: str, request: RequestHead, rules: CacheRules, varies: tuple[str, ...]) -> str:
    """What requests for `key` are fetched together by: besides the key what their responses are known to vary by.

    `varies` are the lower-case names of request fields. Requests with credentials fly by themselves: a response to one
    may not be for others (core.sharing), and what is learned of it says nothing of the others.
    """
    group = key
    why = withheld(request.fields, rules)
    if why is not None:
        group += _part("+" + why._value_)  # `value` is a property that runs Python
    asked = request.fields.joined
    for name in varies:
        value = normalise(name, asked.get(name), rules.codings)
        group += _part(name + ("-" if value is None else "=" + value))
    return group


def path_key(request: RequestHead) -> str:
    """The text for what is known of a path whatever its query: the No-Vary-Search its responses carry."""
    parts = (request.scheme, request.authority, request.path)
    return "".join([_part(part) for part in parts])


def query_matches(entry: Entry, request: RequestHead, rules: KeyRules) -> bool:
    """Whether `entry` may answer this request's query: it is the same as far as its own No-Vary-Search looks."""
    return entry.uri == uri(request, rules, no_vary_search(entry.fields))


_JSON_SPACE: Final = re.compile(rb"[ \t\r\n]+")

PREFLIGHT_FIELDS: Final = ("origin", "access-control-request-method", "access-control-request-headers")


def preflight_digest(request: RequestHead) -> str | None:
    """A digest of what the answer to a CORS preflight depends on; None if the request is none (Fetch section 4.8)."""
    if request.method != "OPTIONS" or not ("origin" in request.fields and PREFLIGHT_FIELDS[1] in request.fields):
        return None
    asked = [(request.fields.get(name) or "").encode("latin-1") for name in PREFLIGHT_FIELDS]
    return digest_of_parts(asked, size=20, person=b"preflight")


def query_digest(fields: Fields, body: bytes) -> str:
    """A digest of a QUERY's content with what says how it is to be read (RFC 10008 section 2.7).

    That is its type, coding and language. Of the type, the value of a parameter keeps its case: whether case matters
    is for the parameter to say (RFC 9110 section 8.3.1). Insignificant white space of JSON is left out; everything
    else counts byte by byte.
    """
    media_type = _media_type(fields.get("content-type") or "")
    coding = (fields.get("content-encoding") or "").strip().lower()
    language = (fields.get("content-language") or "").replace(" ", "").lower()
    essence = media_type.partition(";")[0]
    if not coding and (essence == "application/json" or essence.endswith("+json")):
        body = _without_json_space(body) if _is_json(body) else body
    how = (media_type.encode("latin-1"), coding.encode("latin-1"), language.encode("latin-1"))
    return digest_of_parts((*how, body), size=20)


def _media_type(value: str) -> str:
    """A media type with its names in lower case, and without white space around its parts."""
    essence, *parameters = split_quoted(value, ";")
    parts = [essence.strip().lower()]
    for parameter in parameters:
        name, equals, text = parameter.partition("=")
        parts.append(name.strip().lower() + equals + text.strip())
    return ";".join(parts)


def _is_json(body: bytes) -> bool:
    """Whether it is JSON in UTF-8 as RFC 8259 has it: only then it is known which white space says nothing."""
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _without_json_space(body: bytes) -> bytes:
    """JSON text less the whitespace outside strings (RFC 8259 section 2).

    Cutting at quotes leaves strings and the rest in turn; a quote after an odd number of backslashes belongs to its
    string. Between two words one space stays.
    """
    pieces: list[bytes] = []
    quoted = False
    for piece in body.split(b'"'):
        pieces.append(piece if quoted else _tight(piece))
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        if not (quoted and backslashes % 2):
            quoted = not quoted
    return b'"'.join(pieces)


def _tight(text: bytes) -> bytes:
    """White space squeezed, and removed beside punctuation. JSON has four such characters: a form feed is none."""
    squeezed = _JSON_SPACE.sub(b" ", text).strip(b" ")
    for mark in (b"{", b"}", b"[", b"]", b",", b":"):
        squeezed = squeezed.replace(b" " + mark, mark).replace(mark + b" ", mark)
    return squeezed
