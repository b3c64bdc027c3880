from __future__ import annotations

import pytest

from veneer.core.fields import Fields
from veneer.core.trace import TraceParent, trace_parent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def read(*lines: str) -> TraceParent | None:
    return trace_parent(Fields(("Traceparent", line) for line in lines))


@pytest.mark.parametrize(
    ("line", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
    ],
)
def test_valid_contexts(line: str, sampled: bool) -> None:
    assert read(line) == TraceParent(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_invalid_contexts_are_none(line: str) -> None:
    assert read(line) is None


def test_two_lines_are_none() -> None:
    line = f"00-{TRACE}-{SPAN}-01"
    assert read(line, line) is None
    assert read() is None


def test_text_is_version_00() -> None:
    assert str(TraceParent(TRACE, SPAN, sampled=True)) == f"00-{TRACE}-{SPAN}-01"
