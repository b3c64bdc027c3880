"""A purge is looked at before it is made."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from tests.unit.veneer.cli.admin_stub import AdminStub
from veneer.admin.views import DryRun, SharedEstimate
from veneer.cli.main import main

Captured = pytest.CaptureFixture[str]
RECEIPT = b'{"position": ["e", 7], "acknowledged": ["n1"], "expired": [], "duration_ms": 1.5, "shared": true}'


def look(entries: int = 3, *spared: str, shared: int = 0) -> bytes:
    estimate = SharedEstimate(shared, 10, 9, 9, exact=False)
    return msgspec.json.encode(
        DryRun(entries, 2048, entries, complete=True, shared_estimate=estimate, tags=("users:1",), spared=spared)
    )


def asked(stub: AdminStub) -> list[bool]:
    """Whether each question was a dry run."""
    return [json.loads(body).get("dry_run", False) for _, body in stub.asked]


def test_little_is_purged_after_a_look(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("POST /purge", look(), RECEIPT)
    assert main(["purge", "users:*", "--url", "/a", "--prefix", "/b/", "--soft"]) == 0
    assert capsys.readouterr().out == "purged at e:7, by 2 nodes, in 1.5 ms\n"
    assert asked(stub) == [True, False]
    assert json.loads(stub.asked[1][1]) == {
        "tags": ["users:*"], "urls": ["/a"], "prefixes": ["/b/"], "everything": False, "soft": True,
    }  # fmt: skip


def test_a_preview_purges_nothing_and_says_what_would_stay(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("POST /purge", look(3, "user:42", shared=5))
    assert main(["purge", "--dry-run", "users:*"]) == 0
    said = capsys.readouterr().out
    assert "in memory: 3 responses, 2.0 KB" in said
    assert "in Redis: about 5 responses" in said
    assert "not reached, although it looks alike: user:42" in said
    assert asked(stub) == [True]
    assert main(["purge", "--dry-run", "--json", "users:*"]) == 0
    assert json.loads(capsys.readouterr().out)["spared"] == ["user:42"]


def test_much_is_asked_about_and_where_nobody_can_be_asked_not_purged(
    stub: AdminStub, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    stub.answer("POST /purge", look(5, shared=1_000))
    assert main(["purge", "users:*"]) == 1
    assert "nothing is purged" in capsys.readouterr().err
    assert asked(stub) == [True]
    stub.answer("POST /purge", RECEIPT)
    assert main(["purge", "users:*", "--yes"]) == 0
    stub.answer("POST /purge", look(5), RECEIPT)
    assert main(["purge", "users:*", "--ask-from", "6"]) == 0
    stub.answer("POST /purge", look(5), RECEIPT)
    assert main(["purge", "users:*", "--ask-from", "5"]) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("said", "status"), [("y\n", 0), ("Yes\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_somebody_at_a_terminal_decides(
    stub: AdminStub, monkeypatch: pytest.MonkeyPatch, said: str, status: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(said))
    stub.answer("POST /purge", look(5_000), RECEIPT)
    assert main(["purge", "--everything"]) == status
    assert asked(stub) == [True, False][: 2 - status]


def test_a_purge_of_this_node_alone_is_not_a_success(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("POST /purge", RECEIPT.replace(b"true", b"false"), status=503)
    assert main(["purge", "a", "--yes"]) == 1
    assert "only this node" in capsys.readouterr().err


def test_nothing_named_is_wrong_use_and_a_refusal_says_why(stub: AdminStub, capsys: Captured) -> None:
    assert main(["purge"]) == 2
    stub.answer("POST /purge", b'{"detail": "tag \'a b\': no space"}', status=400)
    assert main(["purge", "a b"]) == 1
    assert "no space" in capsys.readouterr().err
