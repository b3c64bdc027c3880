from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.veneer.cli.admin_stub import AdminStub, running_admin


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminStub]:
    """An admin listener that commands ask by default."""
    with running_admin() as server:
        monkeypatch.setenv("VENEER_ADMIN", server.address)
        for name in ("VENEER_ADMIN_TOKEN", "VENEER_ADMIN_TOKEN_FILE"):
            monkeypatch.delenv(name, raising=False)
        yield server
