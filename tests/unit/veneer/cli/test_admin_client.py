"""Where commands ask, and what is said where nobody answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.process import free_port
from tests.unit.veneer.cli.admin_stub import AdminStub
from veneer.cli.main import main

READY = b'{"status": "ok", "parts": {}}'
Captured = pytest.CaptureFixture[str]


def test_nobody_listens(capsys: Captured) -> None:
    port = free_port()
    assert main(["health", "--admin", f"127.0.0.1:{port}"]) == 3
    assert f"nothing listens on http://127.0.0.1:{port}" in capsys.readouterr().err


def test_the_listener_is_off(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENEER_ADMIN", "off")
    assert main(["health"]) == 3
    assert "--admin names one" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["{}", "http://{}", "http://{}/"])
def test_an_address_in_every_form(stub: AdminStub, form: str, capsys: Captured) -> None:
    stub.answer("GET /ready", READY)
    assert main(["health", "--ready", "--admin", form.format(stub.address)]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_where_it_listens_everywhere_it_is_asked_here(stub: AdminStub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer("GET /ready", READY)
    monkeypatch.setenv("VENEER_ADMIN", f"0.0.0.0:{stub.server_port}")
    assert main(["health", "--ready"]) == 0


def test_tokens_come_from_a_file_or_the_environment(
    stub: AdminStub, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub.answer("GET /ready", READY)
    stub.token = "0123456789abcdef"
    assert main(["health", "--ready"]) == 3
    assert "asks for a token" in capsys.readouterr().err
    monkeypatch.setenv("VENEER_ADMIN_TOKEN", "wrong")
    assert main(["health", "--ready"]) == 3
    assert "does not take this token" in capsys.readouterr().err
    monkeypatch.setenv("VENEER_ADMIN_TOKEN", stub.token)
    assert main(["health", "--ready"]) == 0
    file = tmp_path / "token"
    file.write_text(f"{stub.token}\n")
    monkeypatch.setenv("VENEER_ADMIN_TOKEN", "wrong")
    monkeypatch.setenv("VENEER_ADMIN_TOKEN_FILE", str(file))
    assert main(["health", "--ready"]) == 0
    assert main(["health", "--ready", "--token-file", str(tmp_path / "none")]) == 3
    assert "cannot be read" in capsys.readouterr().err


def test_another_server_is_told_from_a_refusal(stub: AdminStub, capsys: Captured) -> None:
    assert main(["routes"]) == 3
    assert "does not know /routes" in capsys.readouterr().err
    stub.answer("GET /routes", b"<html>")
    assert main(["routes"]) == 3
    assert "answers otherwise" in capsys.readouterr().err
    stub.answer("GET /config", b'{"detail": "there is no route x"}', status=400)
    assert main(["config", "--route", "x"]) == 1
    assert capsys.readouterr().err == "there is no route x\n"
