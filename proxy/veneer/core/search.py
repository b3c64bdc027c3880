"""The query as part of the key: parameters kept, dropped or sorted, and No-Vary-Search (its IETF draft, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_plus

from veneer.core.fields import Fields
from veneer.core.percent import normalise_percent
from veneer.core.rules import KeyRules
from veneer.core.structured import is_token, parse_dictionary


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
    if not choosing and search is None:
        return text
    pairs = [(unquote_plus(part.partition("=")[0]), part) for part in text.split("&") if part]
    if rules.query_only is not None:
        pairs = [pair for pair in pairs if pair[0] in rules.query_only]
    pairs = [pair for pair in pairs if pair[0] not in rules.query_except and (search is None or search.keeps(pair[0]))]
    if rules.query_only is not None or rules.query_sort or (search is not None and search.key_order):
        pairs.sort(key=lambda pair: pair[0])
    return "&".join(part for _, part in pairs) or None
