"""The backend as the stack starts it: prepared, seeded, and answering an authenticated request."""

from __future__ import annotations

from pathlib import Path

from devstack.backend import BackendServer, preparation, run_step, token
from tests.support.client import fetch


def test_the_seeded_backend_serves_companies(backend_server: BackendServer, tmp_path: Path) -> None:
    bearer = token(1, 1, tmp_path)
    answer = fetch(f"{backend_server.url}/api/etter/master_companies", headers={"Authorization": f"Bearer {bearer}"})
    assert answer.status == 200, answer.body
    assert b'"items":[{' in answer.body.replace(b" ", b"")


def test_without_a_token_there_is_nothing(backend_server: BackendServer) -> None:
    assert fetch(f"{backend_server.url}/api/etter/master_companies").status == 401


def test_preparing_again_changes_nothing(
    backend_server: BackendServer, etter_database_url: str, tmp_path: Path
) -> None:
    bearer = token(1, 1, tmp_path)
    url, headers = f"{backend_server.url}/api/etter/users?page_size=3", {"Authorization": f"Bearer {bearer}"}
    before = fetch(url, headers=headers)
    for step in preparation(etter_database_url, "tiny"):
        run_step(step, tmp_path)
    after = fetch(url, headers=headers)
    assert (before.status, after.status) == (200, 200)
    assert before.body.partition(b'"timestamp"')[0] == after.body.partition(b'"timestamp"')[0]
