"""Choosing a content coding (RFC 9110 sections 8.4, 12.5.3) and the entity tag of each coded form (section 8.8.3.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from veneer.core.accept import coding_weights
from veneer.core.cache_control import request_directives, response_directives
from veneer.core.codings import CODINGS
from veneer.core.field_table import CONTENT_DIGESTS
from veneer.core.fields import Fields
from veneer.core.headers import split_list
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.outcome import Reason
from veneer.core.range_fields import parse_content_range
from veneer.core.remembered import memoised
from veneer.core.rules import CodingRules
from veneer.core.validators import etag_of, is_own, is_weak, split_etags

RECOMPRESSED_SUFFIX: Final = "+"
"""What the entity tag of a recompressed form ends in, after its coding."""

_OF_THE_BYTES: Final = CONTENT_DIGESTS | {"content-length", "repr-digest"}
"""What is said of the very bytes of a form."""

_SUFFIXES: Final = tuple(f'-{coding}{suffix}"' for coding in CODINGS for suffix in ("", RECOMPRESSED_SUFFIX))


def choose_coding(accept_encoding: str | None, available: tuple[str, ...]) -> str | None:
    """The coding among `available` (best first) that the client likes most; None for the uncoded form.

    Without the field nothing is coded: the client did not say that it can decode. Equal weights: our order decides.
    """
    return _known_choice((accept_encoding, available)) if accept_encoding else None


def _choose(asked: tuple[str, tuple[str, ...]]) -> str | None:
    accept_encoding, available = asked
    weights = coding_weights(accept_encoding)
    anything = weights.get("*", 0.0)
    best: str | None = None
    best_weight = 0.0
    for coding in available:
        weight = weights.get(coding, anything)
        if weight > best_weight:
            best, best_weight = coding, weight
    if best is not None and weights.get("identity", 0.0) > best_weight:
        return None
    return best


_known_choice: Final = memoised(_choose, 256)
"""Clients accept codings in few ways: the same text comes again and again."""


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
    return Reason.TOO_SMALL if length is not None and not is_worth_coding(length, rules) else None


def is_worth_coding(length: int, rules: CodingRules) -> bool:
    """Whether content of this length is long enough to be coded."""
    return length >= rules.min_bytes


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


def coded_etag(etag: str, coding: str, *, recompressed: bool = False) -> str:
    """The entity tag of the form in `coding` of what has `etag`. A weak tag stays: coded forms are equivalent to it.

    A strong tag names bytes (section 8.8.1). The recompressed form has others than the one made first, and somebody
    behind this proxy may put ranges together or meet both forms on two nodes: so it has a tag of its own.
    """
    if is_weak(etag) or not etag.endswith('"'):
        return etag
    return f'{etag[:-1]}-{coding}{RECOMPRESSED_SUFFIX if recompressed else ""}"'


def uncoded_etag(etag: str) -> str:
    """The entity tag of what has `etag` in a form that `coded_etag` may have named; other tags as they are."""
    if not etag.endswith(_SUFFIXES):
        return etag
    return etag[: etag.rindex("-")] + '"'


def as_origin_knows(request: RequestHead, *, coded_here: bool) -> RequestHead:
    """The request with the entity tags of its If-None-Match and If-Match as the origin gave them.

    `coded_here` tells whether this proxy codes what the origin sends: then a tag that ends in a coding is ours. A tag
    that this proxy made (core.validators) means nothing to the origin and is not sent in If-None-Match; where no other
    is left, nothing is asked of the origin, and its whole answer is compared here.
    """
    asked = request.fields.joined
    fields = request.fields
    none_match, match = asked.get("if-none-match"), asked.get("if-match")
    if none_match is not None:
        known = [tag for tag in split_etags(none_match) if not is_own(tag)]
        if not known:
            fields = fields.without(("if-none-match", "if-modified-since"))
        else:
            fields = _with_tags(fields, "If-None-Match", none_match, known, coded_here=coded_here)
    if match is not None:
        fields = _with_tags(fields, "If-Match", match, split_etags(match), coded_here=coded_here)
    return request if fields is request.fields else request.with_fields(fields)


def _with_tags(fields: Fields, name: str, before: str, tags: list[str], *, coded_here: bool) -> Fields:
    """`fields` with these tags in place of those `before`; unchanged where they are the same."""
    if coded_here:
        tags = [uncoded_etag(tag) for tag in tags]
    value = ", ".join(dict.fromkeys(tags))
    return fields if value == before or tags == split_etags(before) else fields.replaced(name, value)


def as_client_knows(request: RequestHead, head: ResponseHead, rules: CodingRules) -> ResponseHead:
    """The origin's 304 to a condition of the client's that was translated, with the tag by which the client knows it.

    Of several forms that it holds, the one that it would be sent now.
    """
    none_match, etag = request.fields.joined.get("if-none-match"), etag_of(head.fields)
    if head.status != 304 or none_match is None or etag is None or is_weak(etag):
        return head
    held = [
        tag for sent in split_etags(none_match) if uncoded_etag(tag := sent.removeprefix("W/")) == etag or tag == etag
    ]
    wanted = choose_coding(request.fields.joined.get("accept-encoding"), rules.prefer)
    forms = [etag] if wanted is None else [coded_etag(etag, wanted), coded_etag(etag, wanted, recompressed=True)]
    best = next((tag for tag in held if tag in forms), held[0] if held else etag)
    return head if best == etag else ResponseHead(head.status, head.reason, head.fields.replaced("ETag", best))


def coded_fields(fields: Fields, coding: str | None, *, recompressed: bool = False) -> Fields:
    """The fields of the form in `coding` of a response that can be coded; None for its uncoded form.

    Length and digests of the bytes go (RFC 9530: Repr-Digest and Content-Digest are of coded bytes), the entity tag
    names the coding, ranges are not offered of what is made on the way.
    """
    varied = with_vary(fields, "Accept-Encoding")
    if coding is None:
        return varied
    changed = varied.without(_OF_THE_BYTES)
    changed = changed.replaced("Content-Encoding", coding)
    etag = fields.get("etag")
    if etag is not None and (own := coded_etag(etag, coding, recompressed=recompressed)) != etag:
        changed = changed.replaced("ETag", own)
    return changed


class _CodedForm:
    """`coded_fields` of one coding, recompressed or not, as `Fields.once` takes it: told apart by identity."""

    __slots__ = ("_coding", "_recompressed")

    def __init__(self, coding: str | None, recompressed: bool) -> None:
        self._coding: Final = coding
        self._recompressed: Final = recompressed

    def __call__(self, fields: Fields) -> Fields:
        return coded_fields(fields, self._coding, recompressed=self._recompressed)


_FORMS: Final = {
    (coding, recompressed): _CodedForm(coding, recompressed)
    for coding in (None, *CODINGS)
    for recompressed in (False, True)
}


def coded_fields_of_entry(fields: Fields, coding: str | None, *, recompressed: bool) -> Fields:
    """As `coded_fields`, made once: for what is stored, and asked for again and again."""
    return fields.once(_FORMS[coding, recompressed])


def with_vary(fields: Fields, name: str) -> Fields:
    """`fields` with `name` in Vary (RFC 9110 section 12.5.5); unchanged where it is there already, or `*` is."""
    value = fields.get("vary")
    if value is None:
        return fields.added(("Vary", name))
    listed = {member.lower() for member in split_list(value)}
    if "*" in listed or name.lower() in listed:
        return fields
    return fields.replaced("Vary", f"{value}, {name}" if listed else name)


class Form(NamedTuple):
    """How a response that passes through leaves: its fields, and the coding to apply to its content, None for none."""

    fields: Fields
    coding: str | None


def passing_form(request: RequestHead, head: ResponseHead, length: int | None, rules: CodingRules | None) -> Form:
    """The form of a response that passes through, of `length` bytes (None is unknown); `rules` None codes nothing.

    What stands for the 200 varies as that does (RFC 9110 sections 9.3.2, 15.3.7, 15.4.5): a HEAD has the fields of the
    GET, a part and a 304 its Vary; the 304 to a condition of the client's the tag by which the client knows it.
    """
    fields = head.fields
    if rules is None:
        return Form(fields, None)
    if head.status in {206, 304}:
        told = as_client_knows(request, head, rules)
        return Form(coded_fields(told.fields, None) if _speaks_of_coded(told, rules) else told.fields, None)
    if request.method == "HEAD":
        request = replace(request, method="GET")
        announced = fields.joined.get("content-length", "")
        length = int(announced) if announced.isascii() and announced.isdigit() else None
    if why_not_coded(request, head, length, rules) is not None:
        return Form(fields, None)
    coding = choose_coding(request.fields.joined.get("accept-encoding"), rules.prefer)
    return Form(coded_fields(fields, coding), coding)


def _speaks_of_coded(response: ResponseHead, rules: CodingRules) -> bool:
    """Whether what a 304 or a 206 stands for may be coded here, so that it varies by Accept-Encoding as the 200 does.

    What is not told of the content (by a 304, or a multipart of its parts) speaks for that: to vary for nothing costs
    little.
    """
    said = response.fields.joined
    if response_directives(response.fields).no_transform:
        return False
    if said.get("content-encoding", "identity").lower() not in {"identity", ""}:
        return False
    content_type = said.get("content-type")
    told = content_type is not None and not content_type.lower().startswith("multipart/byteranges")
    if told and not is_compressible_type(content_type, rules):
        return False
    part = parse_content_range(said.get("content-range"))
    return part is None or part.complete is None or part.complete >= rules.min_bytes
