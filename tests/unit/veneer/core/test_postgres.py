"""Places in the write-ahead log, and names in SQL."""

from __future__ import annotations

import pytest

from veneer.core.postgres import format_lsn, parse_lsn, quoted_name, quoted_table, quoted_text


@pytest.mark.parametrize(
    ("text", "lsn"), [("0/0", 0), ("16/B374D848", 0x16_B374D848), ("FFFFFFFF/1", 0xFFFFFFFF_00000001)]
)
def test_a_log_sequence_number_has_two_halves(text: str, lsn: int) -> None:
    assert parse_lsn(text) == lsn
    assert format_lsn(lsn) == text


@pytest.mark.parametrize("text", ["", "1", "/1", "1/", "1/123456789", "g/1", "1/1 ", "-1/1", "1/1/1"])
def test_anything_else_is_none(text: str) -> None:
    assert parse_lsn(text) is None


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    assert quoted_name('a"b') == '"a""b"'
    assert quoted_table('public.my "t".x') == '"public"."my ""t"".x"'
    assert quoted_text("it's") == "'it''s'"
