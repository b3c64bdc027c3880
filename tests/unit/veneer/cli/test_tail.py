"""The log as it is written, for people and for programs."""

from __future__ import annotations

import pytest

from tests.unit.veneer.cli.admin_stub import AdminStub
from veneer.cli.main import main

Captured = pytest.CaptureFixture[str]
LINE = (
    b'{"time":"2026-11-30T14:07:39.084Z","request_id":"1","client":"c","method":"GET","path":"/a\\u001b[2J","query":"b=1",'
    b'"status":200,"duration_ms":0.04,"route":"all","cache":"miss","cache_reason":"no-store"}\n'
)


def test_a_line_for_people_holds_nothing_that_a_terminal_obeys(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("GET /tail", b"\n" + LINE + b"\n" + b'{"dropped":7}\n')
    assert main(["tail"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "14:07:39.084 200      0.04 ms GET /a?[2J?b=1  all miss (no-store)",
        "(7 lines were dropped: this reader is too slow)",
    ]


def test_json_is_as_it_came_and_ends_after_so_many(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("GET /tail", b"\n" + LINE * 3)
    assert main(["tail", "--json", "-n", "2"]) == 0
    assert capsys.readouterr().out == LINE.decode() * 2


def test_filters_are_asked_for_there_and_judged_here(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("GET /tail", b"\n")
    words = ["--route", "users", "--status", "404,5xx", "--cache", "miss", "--slow", "200ms"]
    assert main(["tail", *words]) == 0
    assert stub.asked[-1][0] == "GET /tail?route=users&status=404%2C5xx&cache=miss&slow=200.0"
    assert main(["tail", "--cache", "mess"]) == 2
    assert main(["tail", "--status", "abc"]) == 2
    assert "is not a status" in capsys.readouterr().err
    stub.answer("GET /tail", b'{"detail": "8 readers follow the log already"}', status=503)
    assert main(["tail"]) == 1
    assert "8 readers" in capsys.readouterr().err
