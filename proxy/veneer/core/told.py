"""What a trusted proxy tells of the client, in one form (RFC 7239 and the fields before it)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from veneer.core.address import node_address, told_clients
from veneer.core.fields import Fields, Pair
from veneer.core.headers import OWS, split_list, split_quoted, unquote

_IN_ADDRESSES: Final = frozenset("0123456789abcdef.:")
_REPLACED: Final = frozenset({"forwarded", "x-forwarded-for", "x-real-ip"})


def told_plainly(fields: Fields, is_trusted: Callable[[str], bool]) -> Fields:
    """The fields with X-Forwarded-For in plain addresses and without Forwarded, which says the same.

    Where X-Forwarded-For, -Host or -Proto are absent they are made of Forwarded: host and scheme from the element that
    tells of the client itself, the last whose node is no trusted proxy, for what stands before it the client may have
    written. X-Real-IP stands for a chain where there is no other.
    """
    said = fields.joined
    elements = _elements(said.get("forwarded", ""))
    real = node_address(said.get("x-real-ip", ""))
    nodes = told_clients(fields)
    if not _IN_ADDRESSES.issuperset(real):
        real = ""
    if real and not nodes:
        nodes.append(real)
    more: list[Pair] = [("X-Forwarded-For", ", ".join(nodes))] if nodes else []
    if real:
        more.append(("X-Real-IP", real))
    about = _of_the_client(elements, is_trusted)
    for name, parameter in (("X-Forwarded-Host", "host"), ("X-Forwarded-Proto", "proto")):
        if name.lower() not in said and about.get(parameter):
            more.append((name, about[parameter]))
    return fields.changed(_REPLACED, tuple(more))


def _of_the_client(elements: list[dict[str, str]], is_trusted: Callable[[str], bool]) -> dict[str, str]:
    for element in reversed(elements):
        if not is_trusted(node_address(element.get("for", ""))):
            return element
    return elements[0] if elements else {}


def _elements(value: str) -> list[dict[str, str]]:
    """The elements of Forwarded (RFC 7239 section 4): names in lower case, values without their quotes."""
    found: list[dict[str, str]] = []
    for member in split_list(value):
        element: dict[str, str] = {}
        for pair in split_quoted(member, ";"):
            name, equals, said = pair.strip(OWS).partition("=")
            if equals:
                quoted = unquote(said)
                element[name.lower()] = said if quoted is None else quoted
        found.append(element)
    return found
