"""The OpenAPI document is complete, and generated requests find no server error and no undeclared answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.settings import load_settings
from tests.integration.backend.conftest import bearer
from tests.stack.backend import BackendServer

# A short run in `make test`; ETTER_FUZZ_EXAMPLES=2000 is the long one.
EXAMPLES = int(os.environ.get("ETTER_FUZZ_EXAMPLES", "5"))


@pytest.fixture(scope="module")
def server(etter_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendServer]:
    """The service as a process: schemathesis speaks to it over the wire."""
    directory: Path = tmp_path_factory.mktemp("openapi")
    server = BackendServer(etter_database_url, directory)
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.process.log_text()


@pytest.mark.timeout(1200)
def test_generated_requests(server: BackendServer) -> None:
    headers = bearer(load_settings({}))
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) >= 30
    for operation in operations:

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            response = case.call(headers=headers, timeout=30)
            checks = [
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ]
            case.validate_response(response, checks=checks)

        check()
