"""The OpenAPI document is complete, and generated requests find no server error and no undeclared answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.backend import BackendServer
from devstack.callers import bearer, development_settings

EXAMPLES = 5  # `make fuzz-etter` is the long run


@pytest.fixture(scope="module")
def server(etter_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendServer]:
    """The service as a process: schemathesis speaks to it over the wire."""
    directory: Path = tmp_path_factory.mktemp("openapi")
    server = BackendServer(etter_database_url, directory)
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.process.log_text()


@pytest.mark.timeout(600)
def test_generated_requests(server: BackendServer) -> None:
    from checks.fuzz.api import (
        operations,
        try_out,
    )  # schemathesis takes half a second to import, and each worker collects

    declared = operations(server.url)
    assert len(declared) >= 30
    for operation in declared:
        assert try_out(operation, bearer(development_settings()), EXAMPLES, seed=0)
