"""Choosing a content coding (RFC 9110 sections 8.4, 12.5.3) and the entity tag of each coded form (section 8.8.3.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proxy.core.accept import choices
from proxy.core.cache_control import request_directives, response_directives
from proxy.core.fields import Fields
from proxy.core.headers import CONTENT_DIGESTS, split_list
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.outcome import Reason
from proxy.core.rules import CodingRules
from proxy.core.validators import is_weak

CODINGS: Final = ("br", "zstd", "gzip")
"""The codings that this proxy can make."""

DENSE_MARK: Final = "+"
"""What the entity tag of a dense form ends in, after its coding."""

_OF_THE_BYTES: Final = CONTENT_DIGESTS | {"content-length", "repr-digest"}
"""What is said of the very bytes of a form."""

_SUFFIXES: Final = tuple(f'-{coding}{mark}"' for coding in CODINGS for mark in ("", DENSE_MARK))


def choose_coding(accept_encoding: str | None, available: Iterable[str]) -> str | None:
    """The coding among `available` (best first) that the client likes most; None for the uncoded form.

    Without the field nothing is coded: the client did not say that it can decode. Equal weights: our order decides.
    """
    if not accept_encoding:
        return None
    weights = {choice.name: choice.weight for choice in choices(accept_encoding)}
    anything = weights.get("*", 0.0)
    best: str | None = None
    best_weight = 0.0
    for coding in available:
        weight = weights.get(coding, weights.get("x-gzip", anything) if coding == "gzip" else anything)
        if weight > best_weight:
            best, best_weight = coding, weight
    if best is not None and weights.get("identity", 0.0) > best_weight:
        return None
    return best


def why_not_coded(
    request: RequestHead, response: ResponseHead, length: int | None, rules: CodingRules
) -> Reason | None:
    """Why no coding may be applied to the response whoever asks for it; None if one may. `length` None is unknown.

    Every response for which this is None varies by Accept-Encoding, also when it is sent uncoded.
    """
    fields = response.fields
    said = fields.joined
    status = response.status
    if request.method == "HEAD" or status < 200 or status in {204, 205, 304}:
        return Reason.NO_CONTENT
    if status == 206 or "content-range" in said:
        return Reason.RANGE
    if response_directives(fields).no_transform or request_directives(request.fields).no_transform:
        return Reason.NO_TRANSFORM
    if said.get("content-encoding", "identity").lower() not in {"identity", ""}:
        return Reason.ALREADY_CODED
    if not is_compressible_type(said.get("content-type"), rules):
        return Reason.MEDIA_TYPE
    return Reason.TOO_SMALL if length is not None and length < rules.min_bytes else None


def is_compressible_type(content_type: str | None, rules: CodingRules) -> bool:
    """Whether content of this type gets smaller. Event streams are left alone: they must not wait for a buffer."""
    if content_type is None:
        return False
    essence = content_type.partition(";")[0].strip().lower()
    if essence == "text/event-stream":
        return False
    if essence in rules.types or essence.endswith(("+json", "+xml")):
        return True
    return essence.partition("/")[0] + "/" in rules.types


def coded_etag(etag: str, coding: str, *, dense: bool = False) -> str:
    """The entity tag of the form in `coding` of what has `etag`. A weak tag stays: coded forms are equivalent to it.

    A strong tag names octets (section 8.8.1). The dense form has others than the one made first, and somebody behind
    this proxy may put ranges together or meet both forms on two nodes: so it has a tag of its own.
    """
    if is_weak(etag) or not etag.endswith('"'):
        return etag
    return f'{etag[:-1]}-{coding}{DENSE_MARK if dense else ""}"'


def is_coded_etag(etag: str) -> bool:
    """Whether the tag may be one that `coded_etag` made."""
    return etag.endswith(_SUFFIXES)


def coded_fields(fields: Fields, coding: str | None, *, dense: bool = False) -> Fields:
    """The fields of the form in `coding` of a response that can be coded; None for its uncoded form.

    Length and digests of the octets go (RFC 9530: Repr-Digest and Content-Digest are of coded octets), the entity tag
    names the coding, ranges are not offered of what is made on the way.
    """
    varied = with_vary(fields, "Accept-Encoding")
    if coding is None:
        return varied
    changed = varied.without(_OF_THE_BYTES)
    changed = changed.replaced("Content-Encoding", coding)
    etag = fields.get("etag")
    if etag is not None and (own := coded_etag(etag, coding, dense=dense)) != etag:
        changed = changed.replaced("ETag", own)
    return changed


def with_vary(fields: Fields, name: str) -> Fields:
    """`fields` with `name` in Vary (RFC 9110 section 12.5.5); unchanged where it is there already, or `*` is."""
    value = fields.get("vary")
    if value is None:
        return fields.added(("Vary", name))
    listed = {member.lower() for member in split_list(value)}
    if "*" in listed or name.lower() in listed:
        return fields
    return fields.replaced("Vary", f"{value}, {name}" if listed else name)
