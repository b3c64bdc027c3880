"""What the streams of the log bring a node: events, acknowledgements of its own, and notices."""

from __future__ import annotations

from dataclasses import dataclass, field

from veneer.redis.keys import LogKeys
from veneer.redis.script import Reply
from veneer.stores.events import LogEvent, ReplyError, log_event


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """`node` has applied everything up to (epoch_ms, seq)."""

    node: str
    epoch_ms: int
    seq: int


@dataclass(frozen=True, slots=True)
class Notice:
    """`node` has replaced what the shared store holds under `key`, or with `released`, its lock is free."""

    node: str
    key: str
    released: bool = False


@dataclass(slots=True)
class ReadBatch:
    """What one read brought."""

    events: list[LogEvent] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


class StreamDecoder:
    """Understands the answers of XREAD at one node, and remembers where in its inbox and the notices it is.

    `notices_at` is None until it is known from where on notices matter.
    """

    def __init__(self, keys: LogKeys, node: str) -> None:
        self._node = node
        self._stream = keys.stream.encode()
        self._notices = keys.notices.encode()
        self.inbox_at = "0-0"
        self.notices_at: str | None = None

    def decode_batch(self, reply: Reply, known: tuple[int, int] = (0, 0)) -> ReadBatch:
        """An answer: [[stream, [[id, [name, value, ...]], ...]], ...], or None. Raises ReplyError.

        Events of the epoch `known` up to the position beside it are left out: most of a writer are its own.
        """
        batch = ReadBatch()
        for stream in reply if isinstance(reply, list) else ():
            match stream:
                case [bytes(name), list(items)]:
                    for item in items:
                        if name != self._stream or not _is_known(item, known):
                            self._add(batch, name, item)
                case _:
                    raise ReplyError("a stream", stream)
        return batch

    def _add(self, batch: ReadBatch, stream: bytes, item: Reply) -> None:
        match item:
            case [bytes(raw), list(flat)]:
                place = raw.decode()
                pairs = zip(flat[::2], flat[1::2], strict=False)
                fields = {name: value for name, value in pairs if isinstance(name, bytes) and isinstance(value, bytes)}
            case _:
                raise ReplyError("an item of a stream", item)
        if stream == self._stream:
            batch.events.append(log_event(place, {name.decode("latin-1"): value for name, value in fields.items()}))
        elif stream == self._notices:
            self.notices_at = place
            node, released = fields.get(b"n", b"").decode("utf-8", "replace"), fields.get(b"t")
            if node != self._node:
                key = fields.get(b"k", b"") if released is None else released
                batch.notices.append(Notice(node, key.decode("utf-8", "surrogateescape"), released is not None))
        else:
            self.inbox_at = place
            node = fields.get(b"n", b"").decode("utf-8", "replace")
            epoch_ms, _, seq = fields.get(b"p", b"").partition(b"-")
            if epoch_ms.isdigit() and seq.isdigit():
                batch.acknowledgements.append(Acknowledgement(node, int(epoch_ms), int(seq)))


def _is_known(item: Reply, known: tuple[int, int]) -> bool:
    match item:
        case [bytes(place), *_]:
            epoch_ms, _, seq = place.partition(b"-")
            return int(epoch_ms) == known[0] and int(seq) <= known[1]
        case _:
            return False
