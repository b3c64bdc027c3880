"""Facts from other services: all at once, each in its time, partial answers welcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from etter.services.enrichment import MAX_ANSWER_BYTES, parse_services
from etter.settings import Settings, SettingsError
from tests.integration.etter.conftest import Start

PATH = "/api/etter/companies/7/enrichment"


@pytest.fixture
async def services() -> AsyncIterator[str]:
    """Four services: one answers, one hangs, one is broken, one never stops talking."""
    together = asyncio.Barrier(2)

    async def good(request: web.Request) -> web.Response:
        # Both good services have to be asked before either answers: they are asked in parallel.
        await together.wait()
        return web.json_response({"company": request.match_info["id"]})

    async def hangs(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async def broken(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    async def endless(_request: web.Request) -> web.Response:
        return web.Response(text='"' + "x" * MAX_ANSWER_BYTES + '"')

    app = web.Application()
    app.router.add_get("/good/{id}", good)
    app.router.add_get("/hangs", hangs)
    app.router.add_get("/broken", broken)
    app.router.add_get("/endless", endless)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


async def test_partial_answers_name_what_is_missing(
    services: str, settings: Settings, start: Start, member: dict[str, str]
) -> None:
    names = ["news=/good/{company_id}", "rating=/good/{company_id}", "slow=/hangs", "bad=/broken", "big=/endless"]
    urls = ",".join(name.replace("=", f"={services}") for name in names)
    client = await start(msgspec.structs.replace(settings, etter_enrichment_urls=urls, etter_enrichment_timeout=0.5))
    response = await client.get(PATH, headers=member)
    body = await response.json()
    assert response.status == 200
    assert body["data"]["facts"] == {"news": {"company": "7"}, "rating": {"company": "7"}}
    assert {problem["source"] for problem in body["errors"]} == {"slow", "bad", "big"}
    assert response.headers["Cache-Control"] == "no-store"


async def test_no_answer_at_all_is_a_502(
    services: str, settings: Settings, start: Start, member: dict[str, str]
) -> None:
    client = await start(msgspec.structs.replace(settings, etter_enrichment_urls=f"bad={services}/broken"))
    response = await client.get(PATH, headers=member)
    assert (response.status, (await response.json())["error_code"]) == (502, "EXTERNAL_SERVICE_ERROR")


async def test_without_services_there_are_no_facts(settings: Settings, start: Start, member: dict[str, str]) -> None:
    client = await start(settings)
    response = await client.get(PATH, headers=member)
    assert (await response.json())["data"] == {"company_id": 7, "facts": {}}
    assert (await client.get(PATH.replace("7", "8"), headers=member)).status == 404


def test_a_bad_list_of_services_is_named() -> None:
    with pytest.raises(SettingsError, match="expected name=http"):
        parse_services("news")
