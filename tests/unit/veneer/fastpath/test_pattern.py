"""Heads taken apart and put together."""

from __future__ import annotations

from veneer.fastpath.pattern import Pattern, Template


def test_values_are_found_wherever_they_end() -> None:
    pattern = Pattern([b"GET ", b" HTTP/1.1\r\nCookie: ", b"\r\n\r\n"], [b" ", b"\r\n"])
    for values in ([b"/a", b"b=c"], [b"/longer", b""], [b"/longer", b"d"], [b"", b"b=c"]):
        head = b"GET %b HTTP/1.1\r\nCookie: %b\r\n\r\n" % tuple(values)
        assert pattern.values(head + b"body") == values
        assert pattern.stop == len(head)


def test_another_head_has_no_values() -> None:
    pattern = Pattern([b"GET ", b" HTTP/1.1\r\nCookie: ", b"\r\n\r\n"], [b" ", b"\r\n"])
    for head in (b"", b"GET", b"GET /", b"PUT / HTTP/1.1\r\nCookie: a\r\n\r\n", b"GET / HTTP/1.1\r\nCookie: a\r\n"):
        assert pattern.values(head) is None


def test_a_template_is_filled_anew_each_time() -> None:
    template = Template(text=b"GET ")
    template.add_value(1)
    template.add(b" HTTP/1.1\r\n")
    assert template.add_line(b"A: x\r\n", 0, b"x")
    assert not template.add_line(b"B: x\r\n", 0, b"x")
    assert not template.add_line(b"B: x\r\n", 2, b"y")
    template.add(b"\r\n")
    assert template.filled([b"one", b"/"]) == b"GET / HTTP/1.1\r\nA: one\r\n\r\n"
    assert template.filled([b"", b"/two"]) == b"GET /two HTTP/1.1\r\nA: \r\n\r\n"


def test_a_template_without_values_is_its_text() -> None:
    assert Template(text=b"as it is").filled([b"x"]) == b"as it is"
