"""Requests that schemathesis makes from the OpenAPI document, and what every answer to them must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

Operation = schemathesis.schemas.APIOperation[Any, Any, Any, Any]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def operations(base_url: str) -> list[Operation]:
    """Read the operations that a running backend declares."""
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json")
    return [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]


def try_out(operation: Operation, headers: Mapping[str, str], examples: int, seed: int) -> int:
    """Send generated requests of one operation and return their number; an answer that should not be is an error."""
    sent = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def check(case: schemathesis.Case[Any]) -> None:
        nonlocal sent
        sent += 1
        response = case.call(headers=dict(headers), timeout=30)
        case.validate_response(response, checks=CHECKS)

    check()
    return sent
