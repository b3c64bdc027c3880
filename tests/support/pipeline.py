"""A bench for the steps of the pipeline: client and backend are scripted, stores and log are those of memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from tests.support.clock import ManualClock
from tests.support.policies import policy_of
from veneer.compress.codec import Codecs
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import Peer
from veneer.core.invalidation import Invalidation, Validity
from veneer.core.messages import BytesLike, RequestHead, ResponseHead
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.limits.rate_memory import MemoryRates
from veneer.loop.tasks import Tasks
from veneer.pipeline.context import Exchange, Services
from veneer.pipeline.exchange import Audit, ExchangeRecord
from veneer.ports import (
    BodyError,
    ByteSink,
    ClientGoneError,
    Content,
    Demand,
    InterimSink,
    LeaseState,
    OnReceipt,
    Receipt,
    SentTo,
    Tunnel,
    UpstreamError,
    UpstreamFailure,
)
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog

FRESH: Pair = ("Cache-Control", "max-age=60")
REFUSED = UpstreamError(UpstreamFailure.CONNECT, "refused", sent=False)
RESET = UpstreamError(UpstreamFailure.RESET, "gone", sent=True)


class ScriptedResponse:
    """An UpstreamResponse whose body comes in these pieces; an error among them cuts it short."""

    tunnel: Tunnel | None = None

    def __init__(self, *fields: Pair, status: int = 200, body: Sequence[bytes | UpstreamError] = (b"hello",)) -> None:
        self.head = ResponseHead(status, "", Fields(fields))
        self.trailers = Fields()
        self.sent_to: SentTo | None = None
        self.closed = False
        self._body = body

    @property
    def content_length(self) -> int | None:
        announced = self.head.fields.get("content-length")
        return int(announced) if announced else None

    async def body(self) -> AsyncIterator[bytes]:
        for piece in self._body:
            await asyncio.sleep(0)
            if isinstance(piece, UpstreamError):
                raise piece
            yield piece

    async def stream_into(self, sink: ByteSink) -> None:
        async for piece in self.body():
            sink.write_now((piece,))

    async def aclose(self) -> None:
        self.closed = True


def says(*fields: Pair, body: bytes = b"hello", status: int = 200) -> ScriptedResponse:
    """A response whose length is announced."""
    return ScriptedResponse(("Content-Length", str(len(body))), *fields, status=status, body=(body,))


class Backend:
    """An Upstream that plays its script, one item for each request.

    `reached` is set from the first request on; no answer comes before `opened` is.
    """

    def __init__(self) -> None:
        self.script: list[ScriptedResponse | UpstreamError] = []
        self.asked: list[RequestHead] = []
        self.contents: list[bytes | None] = []
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self.opened.set()

    async def exchange(
        self,
        request: RequestHead,
        body: Content | None,
        on_interim: InterimSink | None = None,
        *,
        read_timeout_s: float | None = None,
        demand: Demand | None = None,
    ) -> ScriptedResponse:
        self.asked.append(request)
        whole = body if body is None or isinstance(body, bytes) else b"".join([piece async for piece in body])
        self.contents.append(whole)
        self.reached.set()
        await self.opened.wait()
        match self.script.pop(0):
            case ScriptedResponse() as said:
                return said
            case UpstreamError() as error:  # by no name of this frame, which the error keeps: that would be a cycle
                raise error.again()

    def head_bytes(self, request: RequestHead, *, has_body: bool = False) -> bytes:
        raise AssertionError(request)

    def lease_now(self, now_s: float, claim: Claim = ANY_CLAIM) -> None:
        return


class ScriptedClient:
    """A Client that keeps what it is sent. `leave` is what its connection does when it closes."""

    address = "10.0.0.1"

    def __init__(self, content: Content | BodyError | None = None) -> None:
        self.head: ResponseHead | None = None
        self.body_sent = b""
        self.finished = self.aborted = self.gone = False
        self.length: int | None = None
        self._content = content
        self._left: list[Callable[[], None]] = []

    @property
    def started(self) -> bool:
        return self.head is not None

    @property
    def has_body(self) -> bool:
        return self._content is not None

    @property
    def bytes_in(self) -> int:
        return len(self._content) if isinstance(self._content, bytes) else 0

    @property
    def bytes_out(self) -> int:
        return len(self.body_sent)

    def leave(self) -> None:
        self.gone = True
        for left in self._left:
            left()

    def body(self, limit_bytes: int) -> Content | None:
        if isinstance(self._content, BodyError):
            raise self._content
        return self._content

    def detach(self, left: Callable[[], None] | None = None) -> None:
        self.on_leave(left)

    def on_leave(self, left: Callable[[], None] | None) -> None:
        self._left = [] if left is None else [left]

    def reattach(self) -> bool:
        self._left = []
        return self.gone

    def interim(self, head: ResponseHead) -> None:
        raise AssertionError(head)

    async def begin(self, head: ResponseHead, length: int | None) -> None:
        self._check()
        self.head, self.length = head, length

    async def send(self, data: bytes) -> None:
        self._check()
        self.body_sent += data

    async def send_full(self, head: ResponseHead, body: bytes | Sequence[BytesLike]) -> None:
        await self.begin(head, None)
        await self.send(body if isinstance(body, bytes) else b"".join(body))
        await self.finish(Fields())

    async def flush(self) -> None:
        return

    async def finish(self, trailers: Fields) -> None:
        self.finished = True

    def abort(self) -> None:
        self.aborted = True

    async def upgrade(self, head: ResponseHead) -> Tunnel:
        raise AssertionError(head)

    def write_now(self, pieces: Sequence[BytesLike]) -> bool:
        self._check()
        self.body_sent += b"".join(pieces)
        return True

    async def drained(self) -> None:
        return

    def _check(self) -> None:
        if self.gone:
            raise ClientGoneError("gone")


class Log:
    """The log of memory, whose lease and reach a test decides; it keeps what it was told.

    It has one rather than being one: compiled, nothing inherits from it.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._log = MemoryLog(clock)
        self.lease = LeaseState.HELD
        self.reachable = self.writable = True
        self.appended: list[tuple[Invalidation, float]] = []
        self.waiting: list[OnReceipt] = []
        self.open_writes = 0
        self.sources: dict[str, float] = {}

    @property
    def position(self) -> Position:
        return self._log.position

    def lease_state(self) -> LeaseState:
        return self.lease

    def as_of(self, source: str) -> float:
        return self.sources.get(source.partition("@")[0], float("-inf"))

    def validity(self, entry: Entry) -> Validity:
        return self._log.validity(entry)

    def validity_generation(self, now_s: float) -> int:
        return self._log.validity_generation(now_s)

    @property
    def local(self) -> None:
        return

    async def begin_write(self, settles_s: float, *, strict: bool) -> bool:
        self.open_writes += self.writable
        return self.writable

    def may_write_now(self, settles_s: float, *, strict: bool) -> bool:
        return self.writable or not strict

    def begin_write_now(self, settles_s: float) -> None:
        self.open_writes += 1

    def end_write(self) -> None:
        self.open_writes -= 1

    def append_soon(
        self, invalidation: Invalidation, on_receipt: OnReceipt, *, strict: bool, settles_s: float = 0.0
    ) -> None:
        self.appended.append((invalidation, settles_s))
        self._log.append_now(invalidation, settles_s)
        self.waiting.append(on_receipt)

    def tell(self) -> None:
        """Those who wait learn whether their events are shared."""
        waiting, self.waiting = self.waiting, []
        for on_receipt in waiting:
            on_receipt(Receipt(self.position, (), (), 0.0, shared=self.reachable))

    async def append(self, invalidation: Invalidation, *, strict: bool, settles_s: float = 0.0) -> Receipt:
        self.appended.append((invalidation, settles_s))
        receipt = await self._log.append(invalidation, strict=strict, settles_s=settles_s)
        return replace(receipt, shared=self.reachable)

    async def spares(self, entry: Entry, until: Position) -> bool:
        return await self._log.spares(entry, until)


class Records:
    """A Recorder that keeps everything."""

    def __init__(self) -> None:
        self.begun = 0
        self.records: list[ExchangeRecord] = []

    def begin(self) -> None:
        self.begun += 1

    def finish(self, record: ExchangeRecord) -> None:
        self.records.append(record)

    def audited(self, audit: Audit) -> None:
        raise AssertionError(audit)


class Bench:
    """The services of a node over scripted ends, and exchanges of a policy."""

    def __init__(self, *routes: str, sections: str = "") -> None:
        self.clock = ManualClock()
        self.backend, self.store, self.log = Backend(), MemoryStore(), Log(self.clock)
        self.records, self.tasks = Records(), Tasks()
        self.policy = policy_of(f"{sections}rate_limits: {{one: {{rate: 1/1h}}}}\nroutes: [{', '.join(routes)}]")
        self.services = Services(
            clock=self.clock,
            store=self.store,
            log=self.log,
            rates=MemoryRates(self.clock),
            codec=Codecs(),
            upstreams={"backend": self.backend},
            recorder=self.records,
            tasks=self.tasks,
        )

    def exchange(
        self,
        *fields: Pair,
        method: str = "GET",
        path: str = "/x",
        query: str | None = None,
        client: ScriptedClient | None = None,
    ) -> Exchange:
        """One request as it came in."""
        return Exchange(
            request=RequestHead(method, path, query, "site", Fields(fields)),
            client=client or ScriptedClient(),
            policy=self.policy,
            match=self.policy.match(method, path, query),
            request_id="id",
            peer=Peer("10.0.0.1", False),
            client_ip="10.0.0.1",
            received=self.clock.now(),
            started_s=self.clock.monotonic(),
        )

    def stored(self) -> list[Entry]:
        """Everything that is stored."""
        return list(self.store.entries())

    async def settled(self) -> None:
        """Until no task of the node is at work."""
        while len(self.tasks):
            await _turn()


async def _turn() -> None:
    await asyncio.sleep(0)
