"""Range requests on complete and partial stored responses."""

import pytest

from tests.support.exchanges import DATE, RULES, T, dated, entry_of, request
from veneer.core.dates import format_date
from veneer.core.entry import ByteSpan, Entry
from veneer.core.fields import Fields, Pair
from veneer.core.messages import RequestHead
from veneer.core.ranges import (
    FullBody,
    Part,
    Parts,
    RangeAnswer,
    Replay,
    Unsatisfiable,
    answer_from_partial,
    answer_range,
    choose_boundary,
    combine,
    completion_range,
    multipart,
    slice_of,
)
from veneer.core.rules import CacheRules

FRESH: Pair = ("Cache-Control", "max-age=10")
ETAG: Pair = ("ETag", '"x"')
FIELDS = Fields([DATE, ETAG, ("Last-Modified", format_date(T - 60))])


def asked(value: str, *fields: Pair, method: str = "GET") -> RequestHead:
    return request(("Range", value), *fields, method=method)


def answer(value: str, *fields: Pair, length: int = 1000) -> RangeAnswer:
    return answer_range(asked(value, *fields), 200, FIELDS, length)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", Part(0, 0, 1000)),
        ("bytes=990-", Part(990, 999, 1000)),
        ("bytes=-10", Part(990, 999, 1000)),
        ("bytes=-2000", Part(0, 999, 1000)),
        ("bytes=5-5000", Part(5, 999, 1000)),
        ("bytes=1000-", Unsatisfiable(1000)),
        ("bytes=-0", Unsatisfiable(1000)),
        ("bytes=1000-, 2-3", Part(2, 3, 1000)),
        ("bytes=0-1, 500-501", Parts((Part(0, 1, 1000), Part(500, 501, 1000)))),
        ("bytes=500-501, 0-1", Parts((Part(500, 501, 1000), Part(0, 1, 1000)))),
        ("bytes=0-10, 5-20", Part(0, 20, 1000)),
        ("bytes=0-1, 50-51", Part(0, 51, 1000)),
        ("bytes=0-400, 500-990", FullBody()),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 100_000, 100)), FullBody()),
        ("bytes=x", FullBody()),
    ],
)
def test_ranges_of_a_complete_response(value: str, expected: RangeAnswer) -> None:
    length = 100_000 if value.count(",") > 9 else 1000
    assert answer(value, length=length) == expected


def test_only_a_200_to_get_has_ranges() -> None:
    assert answer_range(asked("bytes=0-1"), 404, FIELDS, 10) == FullBody()
    assert answer_range(asked("bytes=0-1", method="HEAD"), 200, FIELDS, 10) == FullBody()
    assert answer_range(request(), 200, FIELDS, 10) == FullBody()


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=-5", "bytes=7-8, -1"])
def test_all_of_an_empty_representation_is_the_200(wanted: str) -> None:
    assert answer_range(asked(wanted), 200, FIELDS, 0) == FullBody()


@pytest.mark.parametrize("wanted", ["bytes=0-1", "bytes=1-", "bytes=-0"])
def test_an_empty_representation_has_no_bytes_to_give(wanted: str) -> None:
    assert answer_range(asked(wanted), 200, FIELDS, 0) == Unsatisfiable(0)


def test_content_range_texts() -> None:
    assert Part(0, 4, 10).content_range == "bytes 0-4/10"
    assert Part(0, 4, None).content_range == "bytes 0-4/*"
    assert Unsatisfiable(10).content_range == "bytes */10"


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ('"x"', True),
        ('W/"x"', False),
        ('"y"', False),
        (format_date(T - 60), True),
        (format_date(T - 61), False),
        ("x", False),
    ],
)
def test_if_range_needs_the_strong_validator(value: str, holds: bool) -> None:
    assert (answer("bytes=0-1", ("If-Range", value)) == Part(0, 1, 1000)) is holds


def test_a_date_just_made_is_a_weak_validator() -> None:
    fields = Fields([DATE, ("Last-Modified", format_date(T))])
    assert answer_range(asked("bytes=0-1", ("If-Range", format_date(T))), 200, fields, 10) == FullBody()


# ---------------------------------------------------------------- stored parts


def part(content_range: str, value: str, body: bytes, *fields: Pair, rules: CacheRules = RULES) -> Entry:
    return entry_of(
        dated(FRESH, ("Content-Range", content_range), *fields, status=206), asked(value), body=body, rules=rules
    )


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("bytes=6-8", b"678"),
        ("bytes=4-9", b"456789"),
        ("bytes=6-", b"6789"),
        ("bytes=-2", b"89"),
        ("bytes=3-5", None),
        ("bytes=-7", None),
        ("bytes=20-", None),
        ("bytes=5-5,7-7", None),
        ("bytes=x", None),
    ],
)
def test_parts_of_a_part(value: str, raw: bytes | None) -> None:
    held = part("bytes 4-9/10", "bytes=-6", b"456789")
    found = answer_from_partial(held, asked(value))
    assert (slice_of(held, found) if isinstance(found, Part) else found) == raw


def test_the_same_range_again_has_the_same_answer() -> None:
    assert answer_from_partial(part("bytes 4-9/10", "bytes=-5", b"01234"), asked("bytes=-5")) == Replay()


def test_without_the_complete_length_only_closed_ranges_are_known() -> None:
    held = part("bytes 4-9/*", "bytes=4-9", b"456789")
    assert answer_from_partial(held, asked("bytes=5-6")) == Part(5, 6, None)
    assert answer_from_partial(held, asked("bytes=5-")) is None
    assert answer_from_partial(held, asked("bytes=-1")) is None


def test_if_range_and_method_apply_to_parts_as_well() -> None:
    held = part("bytes 4-9/10", "bytes=4-", b"456789", ETAG)
    assert answer_from_partial(held, asked("bytes=5-6", ("If-Range", '"y"'))) is None
    assert answer_from_partial(held, asked("bytes=5-6", method="HEAD")) is None
    assert answer_from_partial(entry_of(dated(FRESH)), asked("bytes=5-6")) is None


def test_a_short_part_counts_as_cut_unless_trusted() -> None:
    cut = part("bytes 4-9/10", "bytes=-5", b"01234")
    assert answer_from_partial(cut, asked("bytes=6-")) is None
    trusted = part("bytes 4-9/10", "bytes=-5", b"01234", rules=CacheRules(trust_short_partial=True))
    for value, raw in (("bytes=6-8", b"234"), ("bytes=6-", b"234"), ("bytes=-1", b"4")):
        found = answer_from_partial(trusted, asked(value))
        assert isinstance(found, Part)
        assert slice_of(trusted, found) == raw


def test_slices_of_a_complete_entry() -> None:
    assert slice_of(entry_of(dated(FRESH)), Part(2, 4, 10)) == b"234"


def test_completion_asks_for_what_follows_the_beginning() -> None:
    assert completion_range(part("bytes 0-4/10", "bytes=0-4", b"01234"), request()) == "bytes=5-"
    assert completion_range(part("bytes 0-4/10", "bytes=0-4", b"01234"), asked("bytes=0-")) is None
    assert completion_range(part("bytes 4-9/10", "bytes=4-", b"456789"), request()) is None


def test_parts_with_the_same_strong_tag_combine() -> None:
    low, high = part("bytes 0-4/10", "a", b"01234", ETAG), part("bytes 4-9/10", "b", b"456789", ETAG, ("New", "1"))
    for joined in (combine(low, high), combine(high, low)):
        assert joined is not None
        assert (joined.status, joined.body, joined.span) == (200, b"0123456789", None)
        assert "content-range" not in joined.fields
    middle = part("bytes 5-7/10", "b", b"567", ETAG)
    joined = combine(low, middle)
    assert joined is not None
    assert (joined.status, joined.body, joined.span) == (206, b"01234567", ByteSpan(0, 7, 10))
    assert joined.fields.get("content-range") == "bytes 0-7/10"
    inside = combine(low, part("bytes 1-2/10", "b", b"12", ETAG))
    assert inside is not None
    assert inside.body == b"01234"


@pytest.mark.parametrize(
    ("content_range", "body", "fields"),
    [
        ("bytes 5-9/10", b"56789", []),
        ("bytes 5-9/10", b"56789", [("ETag", '"y"')]),
        ("bytes 5-9/10", b"56789", [("ETag", 'W/"x"')]),
        ("bytes 6-9/10", b"6789", [ETAG]),
        ("bytes 5-10/11", b"56789a", [ETAG]),
    ],
)
def test_others_do_not_combine(content_range: str, body: bytes, fields: list[Pair]) -> None:
    low = part("bytes 0-4/10", "a", b"01234", ETAG)
    assert combine(low, part(content_range, "b", body, *fields)) is None
    assert combine(low, entry_of(dated(FRESH, ETAG))) is None


def test_a_damaged_part_does_not_combine() -> None:
    trusted = part("bytes 0-4/10", "a", b"012", ETAG, rules=CacheRules(trust_short_partial=True))
    assert combine(trusted, part("bytes 5-9/10", "b", b"56789", ETAG)) is None


def test_multipart() -> None:
    parts = (Part(0, 1, 10), Part(8, 9, 10))
    content = b"".join(multipart(parts, b"0123456789", "text/plain", "B"))
    assert content == (
        b"--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
        b"--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--B--\r\n"
    )
    assert b"Content-Type" not in b"".join(multipart(parts, b"0123456789", None, "B"))


def test_the_boundary_does_not_occur_in_the_body() -> None:
    assert choose_boundary(b"", "s") == "veneer-s-0"
    assert choose_boundary(b"x veneer-s-0 y", "s") == "veneer-s-1"
