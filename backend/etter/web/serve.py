"""From aiohttp's request to a typed call, and from a result to bytes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from etter.clock import Clock
from etter.db.record import current_record
from etter.errors import ValidationError
from etter.web.auth import Caller, TokenReader
from etter.web.caching import cache_headers
from etter.web.call import Call, NoBody, Result, Route
from etter.web.envelope import Envelope, Page
from etter.web.fields import Id, without_pattern
from etter.web.pagination import link_header

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_READS = frozenset({"GET", "HEAD"})


class Admission(Protocol):
    """Whoever knows whether a token's user is still there."""

    async def admit(self, caller: Caller, *, writes: bool) -> Caller:
        """Return the caller with what they may do. Raises AuthenticationError."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What every call needs before its handler runs."""

    tokens: TokenReader
    admission: Admission
    clock: Clock

    async def caller_of(self, request: web.Request) -> Caller:
        """Tell who asks. Raises AuthenticationError."""
        caller = self.tokens.identify(request.headers.get("Authorization"), self.clock())
        record = current_record.get()
        if record is not None:
            record.user_id, record.company_id = caller.user_id, caller.company_id
        return await self.admission.admit(caller, writes=request.method not in _READS)


def endpoint(route: Route, gate: Gate) -> Handler:
    """Bind a declared route to the gate, as an aiohttp handler."""
    parameters = tuple(field.encode_name for field in msgspec.structs.fields(route.query))

    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(
            caller=await gate.caller_of(request),
            ids=tuple(_number(name, text) for name, text in request.match_info.items()),
            query=_query(request, route.query, parameters),
            body=await _body(request, route.body),
            request=request,
        )
        result = await route.handler(call)
        if isinstance(result, web.StreamResponse):
            return result
        fields = cache_headers(result.advice or route.advice, call.caller, result.groups, result.invalidates)
        if isinstance(result.data, Page):
            fields["Link"] = link_header(result.data.links)
        return json_response(result, gate.clock, fields)

    return handle


def json_response(result: Result, clock: Clock, headers: Mapping[str, str]) -> web.Response:
    """Wrap a result into the envelope; 204 carries no body (RFC 9110 section 15.3.5)."""
    fields = CIMultiDict(headers)
    fields.update(result.headers)
    if result.status == 204:
        return web.Response(status=204, headers=fields)
    envelope = Envelope(data=result.data, timestamp=clock(), message=result.message, errors=result.errors)
    body = msgspec.json.encode(envelope)
    return web.Response(body=body, status=result.status, headers=fields, content_type="application/json")


def _number(name: str, text: str) -> int:
    return _convert(text, Id, name)


def _query(request: web.Request, model: type[msgspec.Struct], parameters: Sequence[str]) -> msgspec.Struct:
    given = request.rel_url.query
    values: dict[str, str] = {}
    for name in parameters:
        texts = given.getall(name, [])
        if len(texts) > 1:
            msg = "Given more than once"
            raise ValidationError(msg, field=name)
        if texts:
            values[name] = texts[0]
    return _convert(values, model, "query")


async def _body(request: web.Request, model: type[msgspec.Struct]) -> msgspec.Struct:
    if model is NoBody:
        return NoBody()
    if request.content_type != "application/json":
        msg = "The body must be application/json"
        raise ValidationError(msg, field="Content-Type")
    raw = await request.read()
    try:
        return msgspec.json.decode(raw, type=model)
    except msgspec.ValidationError as error:
        raise explained(error, "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        msg = "The body is not valid JSON"
        raise ValidationError(msg, field="body") from None


def _convert(value: object, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise explained(error, where) from None


def explained(error: msgspec.ValidationError, where: str) -> ValidationError:
    """Turn msgspec's message, which ends in the path of the bad value, into ours."""
    problem, _, path = str(error).partition(" - at `$")
    return ValidationError(without_pattern(problem), field=path.rstrip("`").lstrip(".") or where)
