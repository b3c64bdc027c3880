"""A coded body in steady demand becomes smaller in idle time, and nobody notices but by its length."""

from __future__ import annotations

import asyncio
import json
import random

from checks.conformance.client import Response
from tests.scenarios.dialogue import Dialogue
from tests.support.codings import decode

WORDS = (
    "green",
    "river",
    "company",
    "stone",
    "paper",
    "light",
    "house",
    "under",
    "winter",
    "summer",
    "table",
    "window",
)
CHANCE = random.Random(1)
PAGE = json.dumps([{"id": CHANCE.randrange(10**6), "text": " ".join(CHANCE.choices(WORDS, k=6))} for _ in range(150)])
ANSWER = f'200\nCache-Control: max-age=600\nContent-Type: application/json\nETag: "x"\n\n{PAGE}'
BR = "Accept-Encoding: br"


async def _until_recompressed(talk: Dialogue, *fields: str) -> Response:
    """Ask until the answer's entity tag is that of the recompressed form."""
    async with asyncio.timeout(20):
        while (response := await talk.ask("GET /page", BR, *fields)).lines.get("ETag") != '"x-br+"':
            assert response.lines.get("ETag") == '"x-br"'
            await asyncio.sleep(0.05)
    return response


async def test_a_hot_body_gets_smaller_under_another_tag_and_the_old_one_still_spares_a_transfer(
    talk: Dialogue,
) -> None:
    talk.answers(ANSWER)
    first = await talk.ask("GET /page", BR)
    assert first.lines.get("ETag") == '"x-br"'
    recompressed = await _until_recompressed(talk)
    assert decode("br", recompressed.body) == decode("br", first.body) == PAGE.encode()
    assert len(recompressed.body) < len(first.body)
    for _ in range(3):  # by the pipeline, then by the fast path
        assert (await talk.ask("GET /page", BR)).body == recompressed.body
        for tag in ('"x-br"', '"x-br+"'):
            held = await talk.ask("GET /page", BR, f"If-None-Match: {tag}")
            assert (held.status, held.lines.get("ETag")) == (304, tag)
        other = await talk.ask("GET /page", BR, 'If-None-Match: "x-zstd"')
        assert (other.status, other.body) == (200, recompressed.body)
    whole = await talk.ask("GET /page")
    assert (whole.lines.get("ETag"), whole.text()) == ('"x"', PAGE)


async def test_ranges_are_never_of_coded_bytes(talk: Dialogue) -> None:
    talk.answers(ANSWER)
    await talk.ask("GET /page", BR)
    await _until_recompressed(talk)
    for tag in ('"x-br"', '"x-br+"'):
        resumed = await talk.ask("GET /page", BR, "Range: bytes=2-5", f"If-Range: {tag}")
        assert (resumed.status, resumed.text()) == (200, PAGE)
    part = await talk.ask("GET /page", BR, "Range: bytes=2-5", 'If-Range: "x"')
    assert (part.status, part.text()) == (206, PAGE[2:6])
