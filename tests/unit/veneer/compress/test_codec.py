from __future__ import annotations

import asyncio
import hashlib
import platform
import threading
import zlib
from collections.abc import AsyncIterator

import pytest

from tests.support.codings import decode
from veneer.compress import codec as codec_module
from veneer.compress.codec import Codecs, CodecSettings
from veneer.compress.coders import Coding, coding
from veneer.core.codings import CODINGS, LEVELS

JSON = b'{"id": 1, "name": "Company", "tags": ["a", "b"]},' * 40


@pytest.fixture
async def codecs() -> AsyncIterator[Codecs]:
    made = Codecs(CodecSettings(inline_bytes=4096, threads=2))
    yield made
    await made.aclose()


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("level", [-5, 0, 1, 6, 9, 11, 19, 100])
async def test_any_level_decodes_to_the_same(codecs: Codecs, name: str, level: int) -> None:
    coded = await codecs.encode(name, level, JSON)
    assert decode(name, coded) == JSON
    assert len(coded) < len(JSON) * 0.4


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 400])
async def test_empty_tiny_and_large_bodies(codecs: Codecs, name: str, body: bytes) -> None:
    assert decode(name, await codecs.encode(name, 6, body)) == body


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("level", [1, 6])
async def test_the_same_bytes_each_time_and_on_each_path(codecs: Codecs, name: str, level: int) -> None:
    elsewhere = Codecs(CodecSettings(inline_bytes=0, quick_inline_bytes=0))
    assert {await codecs.encode(name, level, JSON) for _ in range(3)} == {await elsewhere.encode(name, level, JSON)}
    await elsewhere.aclose()


@pytest.mark.parametrize("name", CODINGS)
async def test_the_hardest_level_is_worked_out_beside_the_loop(codecs: Codecs, name: str) -> None:
    recompressed = await codecs.encode_hardest(name, JSON)
    assert recompressed == await codecs.encode(name, codecs.hardest(name), JSON)
    assert decode(name, recompressed) == JSON


def test_each_coding_there_is_has_levels_and_is_made() -> None:
    assert tuple(LEVELS) == CODINGS, "each name of core/codings.py has levels there, in the same order"
    for name in CODINGS:
        assert coding(name).levels is LEVELS[name], "compress/coders.py says how it is made, at these levels"


@pytest.mark.parametrize("level", [1, 6])
async def test_gzip_tells_no_time(codecs: Codecs, level: int) -> None:
    assert (await codecs.encode("gzip", level, JSON))[4:8] == b"\0\0\0\0"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="others write other bytes, equal among themselves")
@pytest.mark.parametrize(("level", "digest"), [(1, "cbb4850ef2b2fced"), (2, "9a7d027ccebefa98")])
def test_quick_gzip_writes_the_same_bytes_on_all_processors_of_an_architecture(level: int, digest: str) -> None:
    """A strong entity tag names bytes, and nodes of one cluster may differ in their processors and versions.

    Seen alike from SSE4.2 to AVX-512. Nodes of two architectures differ; ranges are never taken from coded forms, so
    nobody can put two together.
    """
    text = b"".join(b"%d: %s;" % (n * n, hashlib.sha256(b"%d" % (n % 50)).hexdigest().encode()) for n in range(500))
    assert hashlib.sha256(coding("gzip").encode(text, level)).hexdigest()[:16] == digest


@pytest.mark.parametrize("level", [1, 2])
def test_a_quick_gzip_body_is_no_longer_than_zlib_makes_it(level: int) -> None:
    body = b"".join(b'{"id": %d, "name": "user %d"},' % (n, n * n) for n in range(1000))
    assert len(coding("gzip").encode(body, level)) <= len(zlib.compress(body, level, 31))


async def test_zstd_stays_within_the_window_http_decoders_offer(codecs: Codecs) -> None:
    body = bytes(range(256)) * 65536  # 16 MB: the largest window a level would ask for
    header = (await codecs.encode("zstd", 100, body))[:6]
    assert not header[4] & 0x20, "a single-segment frame needs a window as large as the body"
    assert 1 << (10 + (header[5] >> 3)) <= 8 * 1024 * 1024


async def test_an_unknown_coding_is_an_error(codecs: Codecs) -> None:
    with pytest.raises(ValueError, match="unknown content coding 'deflate'"):
        await codecs.encode("deflate", 6, b"")
    with pytest.raises(ValueError, match="unknown content coding 'deflate'"):
        codecs.stream("deflate", 6)


@pytest.mark.parametrize(
    ("size", "level", "inline"), [(4096, 6, True), (4097, 6, False), (100, 7, True), (100, 8, False)]
)
async def test_large_bodies_and_slow_levels_leave_the_loop(
    codecs: Codecs, monkeypatch: pytest.MonkeyPatch, size: int, level: int, inline: bool
) -> None:
    used: list[int] = []

    def encode(body: bytes, _level: int) -> bytes:
        used.append(threading.get_ident())
        return body

    real = coding("br")
    watched = Coding(real.levels, encode, real.stream, real.decode)
    monkeypatch.setattr(codec_module, "coding_named", lambda _name: watched)
    await codecs.encode("br", level, bytes(size))
    assert (used == [threading.get_ident()]) is inline


@pytest.mark.parametrize("name", CODINGS)
async def test_quick_levels_code_more_at_once(name: str) -> None:
    codecs, quick = Codecs(CodecSettings(inline_bytes=100, quick_inline_bytes=200)), LEVELS[name].quick_to
    assert codecs.encode_now(name, quick, bytes(200)) == await codecs.encode(name, quick, bytes(200))
    assert codecs.encode_now(name, quick, bytes(201)) is None
    assert codecs.encode_now(name, quick + 1, bytes(101)) is None
    assert codecs.encode_now(name, quick + 1, bytes(100)) is not None
    assert codecs.encode_now(name, 100, b"") is None or LEVELS[name].slow_from > LEVELS[name].highest
    await codecs.aclose()


@pytest.mark.parametrize("size", [0, 1, 2048, 2049, 4096, 8192, 8193, 70_000])
def test_a_gzip_body_of_any_length_is_no_longer_than_with_all_the_memory_there_is(size: int) -> None:
    body = (JSON * (size // len(JSON) + 1))[:size]
    coded = coding("gzip").encode(body, 6)
    assert decode("gzip", coded) == body
    assert len(coded) <= len(zlib.compress(body, 6, 31)) + 16


async def test_a_cancelled_request_gives_its_place_back(codecs: Codecs) -> None:
    body = bytes(range(256)) * 4000
    waiting = [asyncio.ensure_future(codecs.encode("br", 9, body)) for _ in range(8)]  # noqa: TID251 - awaited below
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*waiting, return_exceptions=True)
    )
    assert decode("br", await codecs.encode("br", 1, body)) == body
