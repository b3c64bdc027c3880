"""A policy's `warm` targets are there before the first client asks."""

from __future__ import annotations

import asyncio

from tests.scenarios.dialogue import Dialogue, framed

# The stage's origin listens before the proxy starts, so what is asked for at the start waits in its backlog.
POLICIES = """\
version: 1
warm: [/warmed]
"""


async def test_a_target_is_fetched_at_start(talk: Dialogue) -> None:
    talk.answers("200\nCache-Control: max-age=600\n\nwarm")
    await talk.reached(1)
    assert talk.asked[0].path == "/warmed"
    request = f"GET /warmed HTTP/1.1\r\nHost: 127.0.0.1:{talk.port}\r\n\r\n".encode()
    async with asyncio.timeout(10):
        response = await talk.client().exchange("GET", request)
        while "hit" not in (response.lines.get("Cache-Status") or ""):
            talk.answers(framed("200\nCache-Control: max-age=600\n\nwarm"))
            response = await talk.client().exchange("GET", request)
    talk.forget_answers()
    assert response.text() == "warm"
