"""What docs/compatibility.md says of clients and servers that read HTTP in their own way."""

from __future__ import annotations

import zlib

from tests.scenarios.dialogue import Dialogue

TEXT = "some text " * 500


async def test_a_head_that_says_0_bytes_takes_no_stored_length_away(talk: Dialogue) -> None:
    kept = 'Cache-Control: max-age=1\nAge: 5\nETag: "a"\nContent-Type: image/png\n'
    talk.answers(f"200\n{kept}\n{TEXT}", f"200\n{kept}Content-Length: 0\n\n", f"200\n{kept}\n{TEXT}")
    await talk.ask("GET /a")
    await talk.ask("HEAD /a")
    assert (await talk.ask("GET /a")).text() == TEXT


async def test_a_gzip_body_has_one_member(talk: Dialogue) -> None:
    talk.answers(f"200\nCache-Control: max-age=60\nContent-Type: text/plain\n\n{TEXT}")
    for _ in range(3):
        answer = await talk.ask("GET /a", "Accept-Encoding: gzip")
        assert answer.lines.get("Content-Encoding") == "gzip"
        reader = zlib.decompressobj(31)
        assert reader.decompress(answer.body) == TEXT.encode()
        assert reader.eof
        assert reader.unused_data == b""


async def test_a_gzip_body_that_passes_has_one_member(talk: Dialogue) -> None:
    talk.answers(f"200\nCache-Control: no-store\nContent-Type: text/plain\n\n{TEXT * 40}")
    answer = await talk.ask("GET /a", "Accept-Encoding: gzip")
    assert answer.lines.get("Content-Encoding") == "gzip"
    reader = zlib.decompressobj(31)
    assert reader.decompress(answer.body) == (TEXT * 40).encode()
    assert reader.eof
    assert reader.unused_data == b""


async def test_the_plain_form_of_what_can_be_coded_says_what_it_varies_on(talk: Dialogue) -> None:
    talk.answers(f"200\nCache-Control: max-age=60\nContent-Type: text/plain\n\n{TEXT}")
    for _ in range(3):
        answer = await talk.ask("GET /a")
        assert answer.lines.get("Content-Encoding") is None
        assert answer.lines.get("Vary") == "Accept-Encoding"


async def test_a_client_whose_condition_comes_with_no_cache_is_answered_by_the_backend(talk: Dialogue) -> None:
    kept = 'Cache-Control: max-age=60\nETag: "a"\n'
    talk.answers(f"200\n{kept}\none", f"304\n{kept}\n")
    await talk.ask("GET /a")
    asked = ["Cache-Control: no-cache", "Pragma: no-cache", 'If-None-Match: "a"']
    assert (await talk.ask("GET /a", *asked)).status == 304
    assert (await talk.ask("GET /a")).text() == "one"
