"""One request's life: who answers it, what each failure becomes, and that it is recorded once, on every path."""

from __future__ import annotations

import pytest

from tests.support.pipeline import FRESH, REFUSED, RESET, Bench, ScriptedClient, ScriptedResponse, says
from veneer.core.fields import Pair
from veneer.limits.inflight import InFlight
from veneer.pipeline.exchange import CacheResult, ExchangeRecord, Refusal
from veneer.pipeline.handle import Handler
from veneer.ports import BodyMalformedError, BodyTooLargeError, BodyTooSlowError

LIMITED = "{name: limited, match: {path: /limited}, rate_limit: one}"


async def handled(
    bench: Bench, *fields: Pair, client: ScriptedClient | None = None, method: str = "GET", path: str = "/x"
) -> tuple[ScriptedClient, ExchangeRecord]:
    client = client or ScriptedClient()
    before, active = len(bench.records.records), bench.services.in_flight.active
    await Handler(bench.services).handle(bench.exchange(*fields, method=method, path=path, client=client))
    assert bench.records.begun == len(bench.records.records) == before + 1, "each is recorded once"
    assert bench.services.in_flight.active == active, "each place is given back"
    return client, bench.records.records[-1]


async def test_a_miss_and_the_hit_after_it() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    client, record = await handled(bench)
    assert (client.body_sent, client.finished, record.cache) == (b"hello", True, CacheResult.MISS)
    client, record = await handled(bench)
    assert (client.body_sent, record.cache, len(bench.backend.asked)) == (b"hello", CacheResult.HIT, 1)


@pytest.mark.parametrize("fields", [[("Upgrade", "websocket")], []], ids=["upgrade", "content"])
async def test_a_get_with_content_or_an_upgrade_is_not_looked_up(fields: list[Pair]) -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH), says(FRESH)]
    for _ in range(2):
        _, record = await handled(bench, *fields, client=ScriptedClient(None if fields else b"x"))
        assert record.cache is CacheResult.BYPASS
    assert len(bench.backend.asked) == 2
    assert bench.stored() == []


async def test_a_query_is_kept_by_its_content() -> None:
    bench = Bench("{name: r, match: {path: /x}}")
    bench.backend.script = [says(FRESH, body=b"one"), says(FRESH, body=b"two")]
    kind = ("Content-Type", "text/plain")
    first = await handled(bench, kind, method="QUERY", client=ScriptedClient(b"a"))
    second = await handled(bench, kind, method="QUERY", client=ScriptedClient(b"b"))
    again = await handled(bench, kind, method="QUERY", client=ScriptedClient(b"a"))
    assert [client.body_sent for client, _ in (first, second, again)] == [b"one", b"two", b"one"]
    assert again[1].cache is CacheResult.HIT
    assert bench.backend.contents == [b"a", b"b"]


async def test_a_refused_rate_does_not_ask_the_backend() -> None:
    bench = Bench(LIMITED)
    bench.backend.script = [says()]
    await handled(bench, path="/limited")
    client, record = await handled(bench, path="/limited")
    assert client.head is not None
    assert (client.head.status, record.refused, record.rate_remaining) == (429, Refusal.RATE, 0)
    assert client.head.fields.get("retry-after") is not None


def full(bench: Bench) -> Bench:
    """As many requests are at work as may be."""
    object.__setattr__(bench.services, "in_flight", InFlight(1))
    bench.services.in_flight.take()
    return bench


async def test_too_many_in_flight_are_503() -> None:
    for method in ("GET", "POST"):
        client, record = await handled(full(Bench()), method=method)
        assert client.head is not None
        assert (client.head.status, record.refused) == (503, Refusal.LOAD)
        assert client.head.fields.get("cache-status") == "Veneer; detail=load"


@pytest.mark.parametrize(
    ("later_s", "lifetime", "kind"),
    [
        (0, "max-age=60", CacheResult.HIT),
        (70, "max-age=60, stale-while-revalidate=30", CacheResult.STALE),
        (70, "max-age=60, stale-if-error=30", CacheResult.STALE),
        (70, "max-age=60", CacheResult.NONE),
        (70, "max-age=60, stale-if-error=30, must-revalidate", CacheResult.NONE),
    ],
)
async def test_what_is_stored_needs_no_place(later_s: float, lifetime: str, kind: CacheResult) -> None:
    bench = Bench()
    bench.backend.script = [says(("Cache-Control", lifetime))]
    await handled(bench)
    bench.clock.advance(later_s)
    client, record = await handled(full(bench))
    assert client.head is not None
    assert (record.cache, len(bench.backend.asked)) == (kind, 1)
    assert client.head.status == (503 if kind is CacheResult.NONE else 200)


async def test_what_has_been_here_before_is_508() -> None:
    bench = Bench()
    client, record = await handled(bench, ("Via", f"1.1 {bench.services.instance}"))
    assert client.head is not None
    assert (client.head.status, record.refused) == (508, Refusal.LOOP)


@pytest.mark.parametrize(
    ("error", "status", "refused"),
    [
        (BodyTooLargeError(3), 413, Refusal.BODY_TOO_LARGE),
        (BodyTooSlowError(3.0), 408, Refusal.SLOW),
        (BodyMalformedError("chunk"), 400, Refusal.MALFORMED),
    ],
)
async def test_a_body_that_cannot_be_taken(error: Exception, status: int, refused: Refusal) -> None:
    assert isinstance(error, BodyTooLargeError | BodyTooSlowError | BodyMalformedError)
    client, record = await handled(Bench(), method="POST", client=ScriptedClient(error))
    assert client.head is not None
    assert (client.head.status, record.refused) == (status, refused)


async def test_a_body_announced_as_too_large_is_not_read() -> None:
    bench = Bench("{name: r, match: {path: /x}, max_body: 1KB}")
    client, _ = await handled(bench, ("Content-Length", "1025"), method="PUT")
    assert client.head is not None
    assert client.head.status == 413
    assert bench.backend.asked == []


async def test_a_client_that_left_is_recorded_with_that() -> None:
    bench = Bench()
    bench.backend.script = [says(FRESH)]
    client = ScriptedClient()
    client.gone = True
    _, record = await handled(bench, client=client)
    assert record.error
    assert client.head is None
    assert len(bench.stored()) == 1, "what was fetched is stored all the same"


async def test_a_fault_of_ours_is_500_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    client, record = await handled(bench)  # there is nothing in the script
    assert client.head is not None
    assert (client.head.status, record.refused) == (500, Refusal.INTERNAL)
    assert "IndexError" in record.error
    assert "request id failed" in caplog.text


async def test_a_backend_that_breaks_off_cuts_the_clients_connection() -> None:
    bench = Bench()
    bench.backend.script = [ScriptedResponse(("Content-Length", "500000"), body=(b"a", RESET))]
    client, record = await handled(bench)
    assert (client.aborted, client.finished, record.status) == (True, False, 200)
    assert "reset" in record.error


async def test_a_backend_that_is_away_is_502() -> None:
    bench = Bench()
    bench.backend.script = [REFUSED]
    client, record = await handled(bench)
    assert client.head is not None
    assert (client.head.status, record.cache, record.error) == (502, CacheResult.MISS, "connect: refused")
    assert b"refused" not in client.body_sent, "details stay in the log"


async def test_a_preflight_that_is_kept() -> None:
    bench = Bench("{name: r, match: {path: /x}, cache: {preflight: 1m}}")
    bench.backend.script = [says(("Access-Control-Allow-Origin", "*"), status=200)]
    asked = (("Origin", "http://a"), ("Access-Control-Request-Method", "PUT"))
    await handled(bench, *asked, method="OPTIONS")
    _, record = await handled(bench, *asked, method="OPTIONS")
    assert (record.cache, len(bench.backend.asked)) == (CacheResult.HIT, 1)
