"""What a route does while Redis is away, or a source of changes is late."""

import pytest

from tests.support.pipeline import FRESH, Bench, says
from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.pipeline.answer import Answer
from veneer.pipeline.exchange import CacheResult
from veneer.pipeline.fetch import Fetcher
from veneer.pipeline.lost import Loss, Lost, LostRead, LostWrite, lost_now, read_when_lost, write_when_lost
from veneer.pipeline.read import CacheHandler
from veneer.policy.load import parse_policy
from veneer.ports import LeaseState


@pytest.mark.parametrize(
    ("keys", "read", "write"),
    [
        ("", LostRead.FORWARDED, LostWrite.REFUSED),
        (", on_store_loss: stale", LostRead.STORED, LostWrite.REFUSED),
        (", consistency: bounded", LostRead.FORWARDED, LostWrite.CARRIED_OUT),
        (", cache: {enabled: false}, on_store_loss: stale", LostRead.FORWARDED, LostWrite.CARRIED_OUT),
        (", cache: {enabled: false}, invalidates: [a]", LostRead.FORWARDED, LostWrite.REFUSED),
    ],
)
def test_what_is_written_in_the_policy_decides(keys: str, read: LostRead, write: LostWrite) -> None:
    policy = parse_policy(f"routes: [{{name: a, match: {{path: /a}}{keys}}}]", "policies.yaml")
    request = RequestHead("PUT", "/a", None, "policy.test", Fields())
    match = policy.match_of(request)
    assert read_when_lost(match.route) is read
    assert write_when_lost(policy, match, request) is write


TABLES = "tables: {users: [users]}"
CHANGES = (
    "changes: {"
    + ", ".join(
        f'{name}: {{postgres: {{dsn: "postgresql://db/{name}"}}, max_lag: {lag}, on_loss: {loss}, {TABLES}}}'
        for name, lag, loss in (("strict", "2s", "forward"), ("lenient", "5s", "stale"), ("careless", "1s", "ttl"))
    )
    + "}\n"
)


def _bench(*sources: str) -> Bench:
    """A bench with a route that names these sources, of which all is known up to now."""
    bench = Bench(f"{{name: r, match: {{path: /x}}, cache: {{changes: [{', '.join(sources)}]}}}}", sections=CHANGES)
    bench.log.sources.update(dict.fromkeys(("strict", "lenient", "careless"), bench.clock.monotonic()))
    return bench


async def _ask(bench: Bench) -> Answer:
    return await CacheHandler(bench.services, Fetcher(bench.services)).answer(bench.exchange())


@pytest.mark.parametrize(
    ("sources", "after_s", "lost"),
    [
        (["strict"], 2, None),
        (["strict"], 2.1, Lost(Loss.SOURCE, LostRead.FORWARDED)),
        (["lenient"], 5, None),
        (["lenient"], 5.1, Lost(Loss.SOURCE, LostRead.STORED)),
        (["strict", "lenient"], 5.1, Lost(Loss.SOURCE, LostRead.FORWARDED)),
        (["lenient", "careless"], 2, None),
        (["careless"], 1_000, None),
        ([], 1_000, None),
    ],
)
def test_a_route_has_lost_what_is_later_than_its_source_may_be(
    sources: list[str], after_s: float, lost: Lost | None
) -> None:
    bench = _bench(*sources)
    bench.clock.advance(after_s)
    assert lost_now(bench.log, bench.exchange().match.route, bench.clock) == lost


def test_a_source_of_which_nothing_was_heard_is_late() -> None:
    bench = _bench("strict")
    bench.log.sources.clear()
    assert lost_now(bench.log, bench.exchange().match.route, bench.clock) == Lost(Loss.SOURCE, LostRead.FORWARDED)


def test_a_lost_store_counts_before_a_late_source() -> None:
    bench = _bench("lenient")
    bench.clock.advance(10)
    bench.log.lease = LeaseState.EXPIRED
    assert lost_now(bench.log, bench.exchange().match.route, bench.clock) == Lost(Loss.STORE, LostRead.FORWARDED)


async def test_while_a_source_is_late_the_backend_answers_and_what_is_stored_is_used_again_afterwards() -> None:
    bench = _bench("strict")
    bench.backend.script = [says(FRESH, body=b"one"), says(FRESH, body=b"two")]
    await _ask(bench)
    bench.clock.advance(3)
    late = await _ask(bench)
    assert (late.use, late.cache.detail) == (CacheResult.MISS, "source-late")
    bench.log.sources["strict"] = bench.clock.monotonic()
    assert (await _ask(bench)).use is CacheResult.HIT
    assert bench.backend.script == []


async def test_where_the_policy_says_so_what_is_stored_is_served_and_marked() -> None:
    bench = _bench("lenient")
    bench.backend.script = [says(FRESH)]
    await _ask(bench)
    bench.clock.advance(6)
    late = await _ask(bench)
    assert (late.use, late.cache.hit, late.cache.detail) == (CacheResult.STALE, True, "source-late")
