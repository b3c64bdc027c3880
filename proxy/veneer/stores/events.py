"""How the log's events and script replies look on the way to and from Redis."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.redis.script import Reply

MAX_EVENT_BYTES = 256 * 1024
logger = logging.getLogger(__name__)


class _Wire(msgspec.Struct, array_like=True, frozen=True):
    """An event as MessagePack; later versions may append members."""

    tags: tuple[str, ...]
    uris: tuple[str, ...]
    uri_prefixes: tuple[str, ...]
    everything: bool
    strength: InvalidationMode


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def encode_event(event: Invalidation) -> bytes:
    """The event as bytes; one too large to share becomes "everything", which includes it."""
    raw = _encoder.encode(
        _Wire(event.tags, event.uris, event.uri_prefixes, event.everything, event.strength),
    )
    if len(raw) <= MAX_EVENT_BYTES:
        return raw
    logger.warning("an invalidation of %d bytes is too large for the log: all is invalidated instead", len(raw))
    return encode_event(Invalidation(everything=True, strength=event.strength))


def decode_event(raw: bytes) -> Invalidation:
    """The event; one that cannot be read might name anything, so it is "everything"."""
    try:
        wire = _decoder.decode(raw)
    except msgspec.MsgspecError as error:
        logger.warning("an event of the log cannot be read, so all is invalidated: %s", error)
        return Invalidation(everything=True)
    return Invalidation(wire.tags, wire.uris, wire.uri_prefixes, wire.everything, wire.strength)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event as it stands in the stream. `epoch_ms` is its epoch's number, `writer` who waits to hear of it.

    `opens` is the hold that it opens, by name, for `hold_s` seconds; `closes` the one that it closes.
    """

    epoch_ms: int
    seq: int
    event: Invalidation
    writer: str
    opens: str = ""
    hold_s: float = 0.0
    closes: str = ""
    lost: str = ""


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """A hold that is in force: its name, for how many seconds more, and the event that opened it."""

    name: str
    left_s: float
    event: Invalidation


@dataclass(frozen=True, slots=True)
class LostNode:
    """A node whose lease ran out without a good-bye; whether a write of it may have been under way."""

    name: str
    writing: bool


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source of changes: all that was committed `age_s` ago, or before, is in the log."""

    key: str
    age_s: float
    position: str
    reader: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer of renew.lua: the log's last position, the lease granted, events not yet applied, live nodes.

    `holds` are those in force, told where the node may have missed their opening. `lost` are nodes that this call
    found gone.
    """

    epoch: str
    epoch_ms: int
    seq: int
    lease_s: float
    redis_ms: int
    events: tuple[LogEvent, ...]
    nodes: int
    holds: tuple[HeldEvent, ...] = ()
    lost: tuple[LostNode, ...] = ()
    sources: tuple[SourceState, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer of claim.lua: the log's epoch, Redis' time, who may read the source, what was told of it before."""

    epoch: str
    redis_ms: int
    reader: str
    told: str


@dataclass(frozen=True, slots=True)
class Appended:
    """The answer of append.lua: the event's position and who may answer from a store for how many seconds more.

    `lost` are nodes that this call found gone.
    """

    epoch: str
    epoch_ms: int
    seq: int
    live: tuple[tuple[str, float], ...]
    lost: tuple[LostNode, ...] = ()


class ReplyError(msgspec.MsgspecError):
    """Redis said something that the script does not say."""

    def __init__(self, wanted: str, reply: Reply) -> None:
        super().__init__(f"expected {wanted}, got {reply!r:.80}")


def parse_renewal(reply: Reply) -> Renewal:
    """Raises ReplyError."""
    epoch, epoch_ms, seq, lease_ms, redis_ms, events, nodes, holds, lost, sources = _list(reply, 10)
    return Renewal(
        _text(epoch),
        _int(epoch_ms),
        _int(seq),
        _int(lease_ms) / 1000,
        _int(redis_ms),
        tuple(parse_stream_item(event) for event in _list(events)),
        _int(nodes),
        _holds(_list(holds)),
        _lost(_list(lost)),
        _sources(_list(sources)),
    )


def parse_claimed(reply: Reply) -> Claimed:
    """Raises ReplyError."""
    epoch, redis_ms, reader, told = _list(reply, 4)
    return Claimed(_text(epoch), _int(redis_ms), _text(reader), _text(told))


def parse_appended(reply: Reply) -> Appended:
    """Raises ReplyError."""
    epoch, epoch_ms, seq, live, lost = _list(reply, 5)
    flat = _list(live)
    pairs = zip(flat[::2], flat[1::2], strict=True)
    nodes = tuple((_text(name), _int(left_ms) / 1000) for name, left_ms in pairs)
    return Appended(_text(epoch), _int(epoch_ms), _int(seq), nodes, _lost(_list(lost)))


def parse_stream_item(item: Reply) -> LogEvent:
    """One item of XRANGE inside a script: [id, [name, value, ...]]. Raises ReplyError."""
    place, flat = _list(item, 2)
    fields = _list(flat)
    named = {_text(name): value for name, value in zip(fields[::2], fields[1::2], strict=True)}
    return log_event(_text(place), {name: value for name, value in named.items() if isinstance(value, bytes)})


def log_event(place: str, fields: Mapping[str, bytes]) -> LogEvent:
    """An event from its stream id and fields."""
    epoch_ms, _, seq = place.partition("-")
    writer, opens, closes, lost = (fields.get(name, b"").decode("utf-8", "replace") for name in "wocl")
    hold_ms, _, name = opens.partition(" ")
    hold_s = int(hold_ms) / 1000 if hold_ms.isdigit() else 0.0
    return LogEvent(int(epoch_ms), int(seq), decode_event(fields.get("e", b"")), writer, name, hold_s, closes, lost)


def _holds(flat: list[Reply]) -> tuple[HeldEvent, ...]:
    found = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return tuple(
        HeldEvent(_text(name), _int(left_ms) / 1000, decode_event(raw if isinstance(raw, bytes) else b""))
        for name, left_ms, raw in found
    )


def _lost(flat: list[Reply]) -> tuple[LostNode, ...]:
    return tuple(LostNode(_text(name), _int(ms) > 0) for name, ms in zip(flat[::2], flat[1::2], strict=True))


def _sources(flat: list[Reply]) -> tuple[SourceState, ...]:
    found = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
    return tuple(
        SourceState(_text(key), _int(age_ms) / 1000, _text(position), _text(reader))
        for key, age_ms, position, reader in found
    )


def _list(reply: Reply, length: int | None = None) -> list[Reply]:
    if not isinstance(reply, list) or (length is not None and len(reply) != length):
        raise ReplyError("a list", reply)
    return reply


def _text(reply: Reply) -> str:
    if not isinstance(reply, bytes):
        raise ReplyError("a string", reply)
    return reply.decode("utf-8", "replace")


def _int(reply: Reply) -> int:
    try:
        return int(_text(reply))
    except ValueError:
        raise ReplyError("a number", reply) from None
