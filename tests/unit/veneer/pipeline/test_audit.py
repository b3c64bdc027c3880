from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from tests.support.entries import stored
from tests.support.pipeline import REFUSED, Records, ScriptedResponse
from tests.support.pipeline import Bench as Node
from veneer.core.entry import Entry
from veneer.core.fields import Fields, Pair
from veneer.core.invalidation import Invalidation
from veneer.pipeline.audit import MAX_AT_ONCE, Auditor
from veneer.pipeline.exchange import Audit, ExchangeRecord
from veneer.ports import UpstreamError

MAX_ASKED = 100


class Audits(Records):
    """A Recorder that keeps audits."""

    def __init__(self) -> None:
        super().__init__()
        self.audits: list[Audit] = []

    def finish(self, record: ExchangeRecord) -> None:
        raise AssertionError(record)

    def audited(self, audit: Audit) -> None:
        self.audits.append(audit)


def says(body: bytes = b"hello", status: int = 200, *fields: Pair) -> ScriptedResponse:
    """A response whose length is not announced."""
    return ScriptedResponse(*fields, status=status, body=(body,))


class Bench:
    """An auditor over one backend that says the same to everybody, with all a test wants to see."""

    def __init__(self, said: ScriptedResponse | UpstreamError | None = None, share: float = 1.0) -> None:
        self._node = Node(f"{{name: r, match: {{path: /x}}, audit_share: {share}}}")
        self.backend, self.records, self.log = self._node.backend, Audits(), self._node.log
        self.backend.script = [said or says()] * MAX_ASKED
        self.slept = 0.0
        self.while_asleep: Invalidation | None = None
        self.auditor = Auditor(replace(self._node.services, recorder=self.records), self.sleep)
        self.entry = stored(self.log.position, "user:1")

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.while_asleep is not None:
            await self.log.append(self.while_asleep, strict=True)

    def hit(self, method: str = "GET", entry: Entry | None = None) -> None:
        exchange = self._node.exchange(("If-None-Match", '"a"'), method=method)
        self.auditor.consider(exchange, exchange.request, entry or self.entry)

    async def audits(self) -> list[Audit]:
        await self._node.settled()
        return self.records.audits


async def test_an_equal_answer_is_counted_as_the_same() -> None:
    said = says()
    bench = Bench(said)
    bench.hit()
    assert await bench.audits() == [Audit("r", differs=False)]
    assert said.closed
    assert "if-none-match" not in bench.backend.asked[0].fields, "a fresh response is wanted, whole"


async def test_a_difference_that_nothing_explains_is_logged_with_its_tags(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(says(b"changed", 200, ("Surrogate-Key", "user:2")))
    with caplog.at_level(logging.WARNING):
        bench.hit()
        assert await bench.audits() == [Audit("r", differs=True)]
    assert "/x changed without an invalidation; it has the tags user:1, the fresh response user:2" in caplog.text


async def test_a_difference_that_an_invalidation_explains_is_none() -> None:
    bench = Bench(says(b"changed"))
    bench.while_asleep = Invalidation(tags=("user:1",))
    bench.hit()
    assert await bench.audits() == []
    assert bench.slept > 2, "longer than a lease, so that the invalidation of a write under way has arrived"


async def test_strong_etags_of_the_origin_are_compared_instead_of_bodies() -> None:
    bench = Bench(says(b"another spelling", 200, ("ETag", '"v1"')))
    entry = bench.entry
    kept = Entry(200, "OK", Fields([("ETag", '"v1"')]), entry.body, 0.0, 0.0, entry.uri, entry.born)
    bench.hit(entry=kept)
    assert await bench.audits() == [Audit("r", differs=False)]


@pytest.mark.parametrize("said", [says(b"", 503), says(b"x" * 20_000_000)])
async def test_what_cannot_be_compared_is_not_counted(said: ScriptedResponse) -> None:
    bench = Bench(said)
    bench.hit()
    assert await bench.audits() == []


async def test_a_backend_that_is_away_ends_an_audit_quietly() -> None:
    bench = Bench(REFUSED)
    bench.hit()
    assert await bench.audits() == []


async def test_a_share_is_taken_evenly() -> None:
    bench = Bench(share=0.25)
    for _ in range(40):
        bench.hit()
        await bench.audits()
    assert len(bench.records.audits) == 10


async def test_only_a_few_audits_run_at_once() -> None:
    bench = Bench()
    for _ in range(3 * MAX_AT_ONCE):
        bench.hit()
    assert len(await bench.audits()) == MAX_AT_ONCE


async def test_only_whole_answers_to_get_are_audited() -> None:
    bench = Bench()
    bench.hit("HEAD")
    Bench(share=0.0).hit()
    assert await bench.audits() == []
