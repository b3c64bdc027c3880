"""Records of services, asked of a name server over UDP."""

from __future__ import annotations

import sys

import pytest

from tests.support.dns_server import TTL_S, running_name_server
from veneer.upstream.services import Destination, MissingResolverError, NameAnswer, domain_of, look_up_service

SERVICE = "_http._tcp.app.test"


async def test_each_record_is_a_place_with_its_weight_and_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_name_server(monkeypatch) as server:
        server.services[SERVICE] = ["10 3 8001 one.app.test.", "20 0 8002 two.app.test."]
        found = await look_up_service(SERVICE)
        assert sorted(found.places) == [
            Destination("one.app.test", 8001, 3, 10),
            Destination("two.app.test", 8002, 1, 20),
        ]
        assert found.ttl_s == TTL_S
        assert server.asked == [SERVICE]


async def test_a_service_that_is_decidedly_not_there_has_no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_name_server(monkeypatch) as server:
        server.services[SERVICE] = ["0 0 0 ."]
        assert await look_up_service(SERVICE) == NameAnswer([], TTL_S)


@pytest.mark.parametrize("failing", [True, False], ids=["no answer", "no such name"])
async def test_what_is_no_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, failing: bool) -> None:
    async with running_name_server(monkeypatch) as server:
        server.failing = failing
        with pytest.raises(OSError, match=r"SERVFAIL|does not exist"):
            await look_up_service(SERVICE)


async def test_an_existing_name_without_records_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_name_server(monkeypatch) as server:
        server.services[SERVICE] = []
        with pytest.raises(OSError, match="does not contain an answer"):
            await look_up_service(SERVICE)


async def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dns.asyncresolver", None)
    with pytest.raises(MissingResolverError, match=r"veneer\[srv\]"):
        await look_up_service(SERVICE)


def test_who_answers_is_known_by_the_domain_of_the_service() -> None:
    assert domain_of(SERVICE) == "app.test"
