"""HTTP-date, strictly: RFC 9110 section 5.6.7, RFC 9111 section 4.2."""

import pytest

from veneer.core.dates import format_date, parse_date

NOW = 1_800_000_000.0
MOMENT = 784_111_777


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "sun, 06 nOV 1994 08:49:37 gmt",
    ],
)
def test_the_three_formats_in_any_case(text: str) -> None:
    assert parse_date(text, NOW) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 AEST",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov  1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, \xb26 Nov 1994 08:49:37 GMT",
    ],
)
def test_everything_else_is_no_date(text: str) -> None:
    assert parse_date(text, NOW) is None


def test_two_digit_years_are_at_most_fifty_years_ahead() -> None:
    year_2027 = 1_800_000_000.0
    assert format_date(parse_date("Friday, 01-Jan-77 00:00:00 GMT", year_2027) or 0).endswith("2077 00:00:00 GMT")
    assert format_date(parse_date("Friday, 01-Jan-78 00:00:00 GMT", year_2027) or 0).endswith("1978 00:00:00 GMT")


def test_format_is_the_fixed_one() -> None:
    assert format_date(MOMENT + 0.9) == "Sun, 06 Nov 1994 08:49:37 GMT"
