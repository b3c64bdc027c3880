"""Item 4: ranges from complete and from stored partial responses."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

WHOLE = 'Cache-Control: max-age=600\nETag: "a"\nContent-Type: text/plain\n\n0123456789'
PART = 'Cache-Control: max-age=600\nETag: "a"\n'


async def test_every_form_of_range_from_a_complete_response(talk: Dialogue) -> None:
    talk.answers("200\n" + WHOLE)
    await talk.ask("GET /a")
    for asked, text, covered in (
        ("2-4", "234", "2-4"),
        ("7-", "789", "7-9"),
        ("-3", "789", "7-9"),
        ("5-99", "56789", "5-9"),
    ):
        response = await talk.ask("GET /a", f"Range: bytes={asked}")
        assert (response.status, response.text()) == (206, text)
        assert response.lines.get("Content-Range") == f"bytes {covered}/10"
    assert talk.paths() == ["GET /a"]


@pytest.mark.parametrize("digest", ["Content-Digest", "Content-MD5", "Digest", "x-amz-checksum-crc32"])
@pytest.mark.parametrize("asked", ["2-4", "0-1,6-7"])
async def test_a_part_does_not_carry_the_digest_of_the_whole(talk: Dialogue, digest: str, asked: str) -> None:
    talk.answers(f"200\n{digest}: of-ten-bytes\nRepr-Digest: of-the-whole\n" + WHOLE)
    assert (await talk.ask("GET /a")).lines.get(digest) == "of-ten-bytes"
    part = await talk.ask("GET /a", f"Range: bytes={asked}")
    assert part.status == 206
    assert part.lines.get(digest) is None
    assert part.lines.get("Repr-Digest") == "of-the-whole"
    assert talk.paths() == ["GET /a"]


async def test_several_ranges_are_several_parts(talk: Dialogue) -> None:
    body = "".join(f"{n:09}\n" for n in range(1000))
    talk.answers(f'200\nCache-Control: max-age=600\nETag: "a"\nContent-Type: text/plain\n\n{body}')
    await talk.ask("GET /a")
    response = await talk.ask("GET /a", "Range: bytes=0-9,5000-5009")
    assert response.status == 206
    kind = response.lines.get("Content-Type") or ""
    assert kind.startswith("multipart/byteranges; boundary=")
    text = response.text()
    assert text.count("Content-Range: bytes ") == 2
    assert "Content-Range: bytes 0-9/10000\r\n\r\n000000000\n" in text
    assert "Content-Range: bytes 5000-5009/10000\r\n\r\n000000500\n" in text
    boundary = kind.partition("boundary=")[2].strip('"')
    assert text.endswith(f"--{boundary}--\r\n")
    assert int(response.lines.get("Content-Length") or 0) == len(text)


async def test_ranges_that_overlap_become_one(talk: Dialogue) -> None:
    talk.answers("200\n" + WHOLE)
    await talk.ask("GET /a")
    response = await talk.ask("GET /a", "Range: bytes=0-3,2-5")
    assert (response.status, response.text()) == (206, "012345")


async def test_a_range_beyond_the_end_is_unsatisfiable(talk: Dialogue) -> None:
    talk.answers("200\n" + WHOLE)
    await talk.ask("GET /a")
    response = await talk.ask("GET /a", "Range: bytes=10-")
    assert response.status == 416
    assert response.lines.get("Content-Range") == "bytes */10"


async def test_what_is_no_range_is_ignored(talk: Dialogue) -> None:
    talk.answers("200\n" + WHOLE)
    await talk.ask("GET /a")
    for value in ("bytes=4-2", "lines=1-2", "bytes=", "bytes=a-b"):
        assert (await talk.ask("GET /a", f"Range: {value}")).status == 200


async def test_if_range_decides_between_part_and_whole(talk: Dialogue) -> None:
    talk.answers("200\n" + WHOLE)
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a", "Range: bytes=0-1", 'If-Range: "a"')).status == 206
    for other in ('"b"', 'W/"a"', "Sun, 06 Nov 1994 08:49:37 GMT"):
        response = await talk.ask("GET /a", "Range: bytes=0-1", f"If-Range: {other}")
        assert (response.status, response.text()) == (200, "0123456789")


async def test_a_condition_comes_before_a_range(talk: Dialogue) -> None:
    talk.answers("200\n" + WHOLE)
    await talk.ask("GET /a")
    assert (await talk.ask("GET /a", "Range: bytes=0-1", 'If-None-Match: "a"')).status == 304


async def test_a_304_carries_no_digest_of_a_content_that_it_has_not(talk: Dialogue) -> None:
    digests = "Content-Digest: sha-256=:AA==:\nX-Amz-Checksum-CRC32: AAAAAA==\nContent-MD5: AA==\n"
    talk.answers("200\n" + digests + WHOLE)
    assert (await talk.ask("GET /a")).lines.get("X-Amz-Checksum-CRC32") == "AAAAAA=="
    for _ in range(3):
        told = (await talk.ask("GET /a", 'If-None-Match: "a"')).lines
        assert [told.get(name) for name in ("Content-Digest", "X-Amz-Checksum-CRC32", "Content-MD5")] == [None] * 3


async def test_a_stored_part_answers_what_lies_inside_it(talk: Dialogue) -> None:
    talk.answers(f"206\n{PART}Content-Range: bytes 0-4/10\n\n01234")
    await talk.ask("GET /a", "Range: bytes=0-4")
    inside = await talk.ask("GET /a", "Range: bytes=1-3")
    assert (inside.status, inside.text(), inside.lines.get("Content-Range")) == (206, "123", "bytes 1-3/10")
    assert len(talk.asked) == 1


async def test_a_stored_beginning_is_completed_and_combined_by_its_strong_tag(talk: Dialogue) -> None:
    talk.answers(
        f"206\n{PART}Content-Range: bytes 0-4/10\n\n01234",
        f"206\n{PART}Content-Range: bytes 5-9/10\n\n56789",
    )
    await talk.ask("GET /a", "Range: bytes=0-4")
    whole = await talk.ask("GET /a")
    assert (whole.status, whole.text()) == (200, "0123456789")
    assert talk.asked[1].lines.get("Range") == "bytes=5-"
    assert (await talk.ask("GET /a")).text() == "0123456789"
    assert len(talk.asked) == 2


async def test_parts_of_different_representations_are_never_combined(talk: Dialogue) -> None:
    talk.answers(
        f"206\n{PART}Content-Range: bytes 0-4/10\n\n01234",
        '206\nCache-Control: max-age=600\nETag: "b"\nContent-Range: bytes 5-9/10\n\nFGHIJ',
        '200\nCache-Control: max-age=600\nETag: "b"\n\nABCDEFGHIJ',
    )
    await talk.ask("GET /a", "Range: bytes=0-4")
    assert (await talk.ask("GET /a")).text() == "ABCDEFGHIJ"
    assert "Range" not in talk.asked[2].lines


async def test_a_part_cut_short_counts_for_what_came(talk: Dialogue) -> None:
    talk.answers(
        f"206\n{PART}Content-Range: bytes 0-9/20\n\n01234",
        f"206\n{PART}Content-Range: bytes 4-7/20\n\n4567",
    )
    await talk.ask("GET /a", "Range: bytes=0-9")
    assert (await talk.ask("GET /a", "Range: bytes=1-3")).text() == "123"
    assert (await talk.ask("GET /a", "Range: bytes=4-7")).text() == "4567"
    assert len(talk.asked) == 2


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=-5"])
async def test_all_of_an_empty_representation_is_the_200(talk: Dialogue, wanted: str) -> None:
    talk.answers('200\nCache-Control: max-age=600\nETag: "a"\n\n')
    assert (await talk.ask("GET /a")).status == 200
    answer = await talk.ask("GET /a", f"Range: {wanted}")
    assert (answer.status, answer.text(), "Content-Range" in answer.lines) == (200, "", False)


@pytest.mark.parametrize("wanted", ["bytes=0-2", "bytes=0-2, 300-302"])
async def test_a_part_of_what_is_stored_has_no_digest_of_the_whole_message(talk: Dialogue, wanted: str) -> None:
    digests = ("Content-Digest: sha-256=:abc=:", "Content-MD5: abc=", "Repr-Digest: sha-256=:def=:")
    talk.answers("\n".join(["200", "Cache-Control: max-age=600", *digests, "", "x" * 400]))
    whole = await talk.ask("GET /a")
    part = await talk.ask("GET /a", f"Range: {wanted}")
    names = ("Content-Digest", "Content-MD5", "Repr-Digest")
    assert [name in whole.lines for name in names] == [True, True, True]
    assert (part.status, [name in part.lines for name in names]) == (206, [False, False, True])


async def test_parts_put_together_have_no_digest_of_one_of_them(talk: Dialogue) -> None:
    talk.answers(
        '206\nETag: "a"\nCache-Control: max-age=600\nContent-Range: bytes 0-1/4\nContent-Digest: sha-256=:abc=:\n\n01',
        '206\nETag: "a"\nCache-Control: max-age=600\nContent-Range: bytes 2-3/4\nContent-Digest: sha-256=:def=:\n\n23',
    )
    await talk.ask("GET /a", "Range: bytes=0-1")
    whole = await talk.ask("GET /a")
    assert (whole.status, whole.text(), "Content-Digest" in whole.lines) == (200, "0123", False)
