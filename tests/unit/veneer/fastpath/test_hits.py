"""The fast path repeats what it learned, and stops as soon as anything that mattered has changed."""

from __future__ import annotations

import gc
import json
from dataclasses import replace

import pytest

from tests.support.clock import ManualClock
from tests.support.policies import policy_of
from tests.unit.veneer.fastpath.line import Line
from tests.unit.veneer.observe.records import quiet_observer
from veneer.compiling.form import BuildKind, form
from veneer.core.entry import CodedBody, Entry
from veneer.core.fields import Fields
from veneer.core.forwarding import Peer, age_line
from veneer.core.invalidation import Invalidation, Validity
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.outcome import CacheStatus
from veneer.fastpath.fingerprint import fingerprint_of
from veneer.fastpath.hits import HitFastPath
from veneer.fastpath.hot_entries import MAX_VARIANTS
from veneer.fastpath.learning import Interner
from veneer.fastpath.state import MAX_LIMITED_TARGETS
from veneer.limits.rate_memory import MemoryRates
from veneer.loop.tasks import Tasks
from veneer.pipeline.admit import count
from veneer.pipeline.context import Exchange, ServedHit, Services
from veneer.pipeline.exchange import CacheResult, ExchangeRecord
from veneer.pipeline.represent import proxy_lines, with_lines
from veneer.pipeline.request_ids import RequestIds
from veneer.policy.load import parse_policy
from veneer.policy.watch import PolicySource
from veneer.ports import SourceMoment
from veneer.stores.memory import MemoryStore
from veneer.stores.memory_log import MemoryLog

POLICY = """
version: 1
upstreams: {backend: {url: "http://127.0.0.1:1"}}
rate_limits: {few: {key: client_ip, rate: 3/60s, burst: 3}}
routes:
  - {name: limited, match: {path: /limited}, rate_limit: few}
"""
REQUEST = b"GET %s HTTP/1.1\r\nHost: site\r\n\r\n"


class Stage:
    """A fast path over real memory stores, and a way to have it see a hit."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._seen: list[ExchangeRecord] = []
        self.sent: list[bytes] = []
        self.store = MemoryStore()
        self.log = MemoryLog(self.clock)
        self.source = PolicySource(policy_of(POLICY))
        self.observer = quiet_observer(self._seen.append)
        self.services = Services(
            clock=self.clock,
            store=self.store,
            log=self.log,
            rates=MemoryRates(self.clock),
            codec=None,  # type: ignore[arg-type]  # the fast path codes nothing
            upstreams={},
            recorder=self.observer,
            tasks=Tasks(),
        )
        self.fastpath = HitFastPath(self.services, self.source, RequestIds(), self.observer)
        self.handler = self.fastpath.connect(Line(), lambda pieces: self.sent.append(b"".join(pieces)))

    @property
    def noted(self) -> list[ExchangeRecord]:
        """What was recorded."""
        self.observer.work_off()
        return self._seen

    def entry(self, path: str, **changes: object) -> Entry:
        fields = Fields([("Content-Type", "text/plain"), ("ETag", '"e"')])
        now = self.clock.now()
        entry = Entry(200, "OK", fields, b"body", now, now, f"site{path}", self.log.position, tags=("t",))
        return replace(entry, **changes)  # type: ignore[arg-type]

    def exchange(self, path: str, fields: Fields | None = None) -> Exchange:
        policy = self.source.current
        return Exchange(
            request=RequestHead("GET", path, None, "site", fields or Fields()),
            client=None,  # type: ignore[arg-type]  # the fast path asks it nothing
            policy=policy,
            match=policy.match("GET", path),
            request_id="first",
            peer=Peer("192.0.2.1", trusted=False),
            client_ip="192.0.2.1",
            received=self.clock.now(),
            started_s=self.clock.monotonic(),
        )

    async def serve(self, path: str, entry: Entry, coding: str = "", fields: Fields | None = None) -> None:
        """Store `entry` and let the fast path see it served to a plain GET."""
        await self.store.put(path, entry, 1000)
        self.see(path, entry, coding, fields)

    def see(self, path: str, entry: Entry, coding: str = "", fields: Fields | None = None) -> None:
        """Let the fast path see a stored entry served."""
        exchange = self.exchange(path, fields)
        cache, now = CacheStatus(hit=True, ttl_s=60), self.clock.now()
        lines = proxy_lines(entry.fields, cache, "first", 1.0, None, via="veneer", now=now)
        head = with_lines(ResponseHead(200, "OK", entry.fields), lines, age_line(5.0))
        self.fastpath.learn(exchange, ServedHit(entry, path, 5.0, 60.0, head, len(entry.body), coding))

    def ask(self, path: str = "/a", request: bytes | None = None) -> bytes | None:
        """The answer; None when it has to come the normal way, and then nothing has been sent or noted."""
        before = len(self.sent), len(self.noted)
        if self.handler.answer(request or REQUEST % path.encode()):
            assert len(self.noted) == before[1] + 1
            return b"".join(self.sent[before[0] :])
        assert (len(self.sent), len(self.noted)) == before
        return None


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_a_served_hit_is_repeated_with_its_age_and_what_is_left_of_its_life(stage: Stage) -> None:
    assert stage.ask() is None
    await stage.serve("/a", stage.entry("/a"))
    stage.clock.advance(7)
    answer = stage.ask()
    assert answer is not None
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"body"
    assert b"\r\nAge: 12\r\n" in head
    assert b"\r\nCache-Status: Veneer; hit; ttl=53\r\n" in head
    assert head.endswith(b"\r\nContent-Length: 4")
    assert stage.noted[0].cache is CacheResult.HIT


async def test_what_is_prefetched_is_answered_as_what_is_not(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    await stage.serve("/b", stage.entry("/b", body=b"other"))
    for prefetched, asked, body in (("/a", "/a", b"body"), ("/a", "/b", b"other"), ("/none", "/b", b"other")):
        data = REQUEST % asked.encode()
        stage.fastpath.prefetch([stage.handler], [data if prefetched == asked else REQUEST % prefetched.encode()])
        answer = stage.ask(request=data)
        assert answer is not None
        assert answer.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("change", ["policy", "entry", "tag", "odd"])
async def test_what_changes_after_it_was_prefetched_counts(stage: Stage, change: str) -> None:
    await stage.serve("/a", stage.entry("/a"))
    data = b"BREW /a HTTP/1.1\r\nHost: site\r\n\r\n" if change == "odd" else REQUEST % b"/a"
    stage.fastpath.prefetch([stage.handler], [data])
    if change == "policy":
        stage.source.current = parse_policy(POLICY + "\n# another\n", "test")
    elif change == "entry":
        stage.store.drop("/a")
    elif change == "tag":
        await stage.log.append(Invalidation(tags=("t",)), strict=True)
    assert stage.ask(request=data) is None


async def test_it_stops_when_freshness_ends(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    stage.clock.advance(59.9)
    assert stage.ask() is not None
    stage.clock.advance(0.2)
    assert stage.ask() is None


async def test_it_stops_when_a_tag_is_invalidated(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    await stage.log.append(Invalidation(tags=("other",)), strict=True)
    assert stage.ask() is not None
    await stage.log.append(Invalidation(tags=("t",)), strict=True)
    assert stage.ask() is None


async def test_the_log_is_asked_about_an_entry_only_after_it_has_moved(stage: Stage) -> None:
    asked: list[Entry] = []

    class Log:
        moved = stage.log.moved

        def validity_generation(self, now_s: float) -> int:
            return self.moved

        def validity(self, entry: Entry) -> Validity:
            asked.append(entry)
            return Validity.VALID

    log, entry = Log(), stage.entry("/a")
    await stage.serve("/a", entry)
    hot_entry = stage.fastpath.state.hot_entries.get(*fingerprint_of(b"site\n/a"))
    assert hot_entry is not None
    for moved, questions in ((0, 0), (1, 1), (1, 1), (2, 2)):
        log.moved = stage.log.moved + moved
        assert hot_entry.is_servable(log, stage.clock.monotonic())  # type: ignore[arg-type]  # the rest is not asked for
        assert asked == [entry] * questions


async def test_it_stops_when_the_entry_is_replaced_or_gone(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    await stage.store.put("/a", stage.entry("/a", body=b"newer"), 1000)
    assert stage.ask() is None
    await stage.serve("/a", stage.entry("/a"))
    stage.store.drop("/a")
    assert stage.ask() is None


async def test_another_entry_at_the_same_time_is_answered_with_its_own_head(stage: Stage) -> None:
    for tag in ("one", "other", "one"):
        fields = Fields([("Content-Type", "text/plain"), ("ETag", f'"{tag}"')])
        await stage.serve("/a", stage.entry("/a", fields=fields, body=tag.encode()))
        for _ in range(2):
            answer = stage.ask()
            assert answer is not None
            head, _, body = answer.partition(b"\r\n\r\n")
            assert f'ETag: "{tag}"'.encode() in head
            assert body == tag.encode()


async def test_it_stops_when_another_policy_is_in_force(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    stage.source.current = parse_policy(POLICY + "\n# another\n", "test")
    assert stage.ask() is None


async def test_another_selector_takes_the_normal_way(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    assert stage.ask(request=b"GET /a HTTP/1.1\r\nHost: site\r\nAccept-Encoding: br\r\n\r\n") is None
    assert stage.ask(request=b"GET /a HTTP/1.1\r\nHost: other\r\n\r\n") is None
    assert stage.ask("/b") is None


async def test_what_depends_on_more_is_not_learned(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a", vary=(("accept-language", "de"),)))
    assert stage.ask() is None
    await stage.serve("/b", stage.entry("/b"), fields=Fields([("Cache-Control", "max-stale")]))
    assert stage.ask("/b") is None


async def test_a_coded_body_that_is_gone_is_not_replaced_by_another(stage: Stage) -> None:
    entry = stage.entry("/a", coded=(CodedBody("br", b"brbr"),))
    fields = Fields([("Accept-Encoding", "br")])
    request = b"GET /a HTTP/1.1\r\nHost: site\r\nAccept-Encoding: br\r\n\r\n"
    await stage.serve("/a", entry, "br", fields)
    answer = stage.ask(request=request)
    assert answer is not None
    assert answer.endswith(b"\r\n\r\nbrbr")
    await stage.serve("/b", stage.entry("/b"), "br", fields)
    assert stage.ask(request=request.replace(b"/a", b"/b")) is None


async def test_the_rate_limit_holds_and_its_refusal_comes_as_quickly(stage: Stage) -> None:
    await stage.serve("/limited", stage.entry("/limited"))
    answers = [stage.ask("/limited") for _ in range(4)]
    assert [answer is not None and answer[9:12] for answer in answers] == [b"200", b"200", b"200", b"429"]
    assert answers[0] is not None
    assert b"\r\nRateLimit: " in answers[0]
    assert answers[3] is not None
    assert b"\r\nRetry-After: " in answers[3]
    assert stage.noted[-1].status == 429


async def test_a_refusal_needs_no_hit_before_it(stage: Stage) -> None:
    exchange = stage.exchange("/limited")
    verdicts = [await count(stage.services, exchange) for _ in range(4)]
    assert [verdict is not None and verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert stage.ask("/limited") is None
    stage.fastpath.learn_refusal(exchange)
    answer = stage.ask("/limited", b"GET /limited HTTP/1.1\r\nHost: site\r\nX-Request-ID: mine-7\r\n\r\n")
    assert answer is not None
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nX-Request-ID: mine-7\r\n" in head
    assert json.loads(body)["request_id"] == "mine-7"
    assert b"\r\nContent-Length: %d" % len(body) in head
    assert stage.noted[-1].bytes_out == len(body)
    stage.clock.advance(61)
    assert stage.ask("/limited") is None
    verdict = await count(stage.services, exchange)
    assert verdict is not None
    assert verdict.remaining == 2, "asking whether to refuse counts nothing"


async def test_a_refusal_is_no_place_to_hide_a_field(stage: Stage) -> None:
    head = b"GET /limited HTTP/1.1\r\nHost: site\r\nIf-None-Match: %s\r\n\r\n"
    for _ in range(4):
        await count(stage.services, stage.exchange("/limited"))
    stage.fastpath.learn_refusal(stage.exchange("/limited"))
    hidden = b'"e"\r\nTransfer-Encoding: chunked'
    for _ in range(2):  # from the second on, a value is looked for where the last one ended
        assert stage.ask(request=head % (b"x" * len(hidden))) is not None
    assert stage.ask(request=head % hidden) is None


async def test_targets_in_turn_have_each_their_own_head(stage: Stage) -> None:
    await stage.serve("/a", stage.entry("/a"))
    stage.clock.advance(3)
    await stage.serve("/b", stage.entry("/b"))
    for _ in range(2):
        assert b"\r\nAge: 8\r\n" in (stage.ask("/a") or b"")
        assert b"\r\nAge: 5\r\n" in (stage.ask("/b") or b"")
    stage.clock.advance(1)
    assert b"\r\nAge: 9\r\n" in (stage.ask("/a") or b"")


async def test_a_target_may_look_like_the_members_of_a_refusal(stage: Stage) -> None:
    path = "/limited"
    exchange = replace(stage.exchange(path), request=RequestHead("GET", path, '"request_id":"x"~~~~', "site", Fields()))
    for _ in range(4):
        await count(stage.services, exchange)
    stage.fastpath.learn_refusal(exchange)
    request = b'GET /limited?"request_id":"x"~~~~ HTTP/1.1\r\nHost: site\r\nX-Request-ID: abcd\r\n\r\n'
    answer = stage.ask(request=request)
    assert answer is not None
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["request_id"] == "abcd"


async def test_what_is_remembered_of_refusals_is_bounded(stage: Stage) -> None:
    for number in range(MAX_LIMITED_TARGETS + 10):
        stage.fastpath.learn_refusal(stage.exchange(f"/limited?{number}"))
    assert len(stage.fastpath.state.limited_targets) <= MAX_LIMITED_TARGETS


async def test_several_answers_of_one_entry_are_told_apart_and_bounded(stage: Stage) -> None:
    entry = stage.entry("/a")
    ask = "GET /a HTTP/1.1\r\nHost: site\r\nIf-None-Match: %s\r\n\r\n"
    await stage.serve("/a", entry)
    for number in range(MAX_VARIANTS + 1):
        stage.see("/a", entry, fields=Fields([("If-None-Match", f'"{number}"')]))
    answered = [stage.ask(request=(ask % f'"{number}"').encode()) is not None for number in range(MAX_VARIANTS + 1)]
    assert answered == [True] * (MAX_VARIANTS - 1) + [False] * 2
    assert stage.ask() is not None


async def test_the_collector_looks_at_little_of_what_is_kept(stage: Stage) -> None:
    """A full collection would else take seconds with a million entries."""
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1000):
        await stage.serve(f"/{number}", stage.entry(f"/{number}", body=b"%d" % number))
    gc.collect()
    most = 100 if form() is BuildKind.COMPILED else 5_100
    assert len(gc.get_objects()) - before < most


def test_heads_share_the_lines_around_those_that_differ() -> None:
    interner = Interner()
    head = b"HTTP/1.1 200 OK\r\nServer: x\r\nETag: %s\r\nVia: y\r\nAge: "
    first, second, third = (interner.split_head(head % tag) for tag in (b"one", b"two", b"three"))
    assert b"".join(first) == head % b"one"
    assert second == (b"HTTP/1.1 200 OK\r\nServer: x\r\n", b"ETag: two\r\n", b"Via: y\r\nAge: ")
    assert third[0] is second[0]
    assert third[2] is second[2]
    again = interner.split_head(head % b"two")
    assert b"".join(again) == head % b"two"
    assert interner.split_head(head % b"two")[0] is again[0]


SOURCED = """
changes: {db: {postgres: {dsn: "postgresql://db/etter"}, tables: {users: [users]}}}
routes: [{name: users, match: {path: "/users/{id}"}, cache: {changes: db}}]
"""


async def test_on_a_route_that_names_a_source_it_answers_while_the_source_is_in_time(stage: Stage) -> None:
    stage.source.current = parse_policy(SOURCED, "test")
    db = stage.source.current.changes[0].key
    claim = await stage.log.sources.claim(db)
    await stage.log.sources.claim(db, SourceMoment(claim.clock, claim.now_ms, "0/1"))
    for target in ("/users/1", "/elsewhere"):
        await stage.serve(target, stage.entry(target))
        assert stage.ask(target) is not None
    stage.clock.advance(2.5)
    assert stage.ask("/users/1") is None
    assert stage.ask("/elsewhere") is not None
    later = await stage.log.sources.claim(db)
    await stage.log.sources.claim(db, SourceMoment(later.clock, later.now_ms, "0/2"))
    assert stage.ask("/users/1") is not None
