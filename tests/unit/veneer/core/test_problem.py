from __future__ import annotations

import gc
import json

from veneer.core.problem import QUOTA_EXCEEDED, Problem, problem_head


def test_about_blank_carries_the_status_phrase() -> None:
    problem = Problem(504, "The backend did not answer within 30 s.", instance="/a?b", request_id="r1")
    assert json.loads(problem.body()) == {
        "type": "about:blank",
        "title": "Gateway Timeout",
        "status": 504,
        "detail": "The backend did not answer within 30 s.",
        "instance": "/a?b",
        "request_id": "r1",
    }


def test_a_refused_rate_names_its_limits() -> None:
    problem = Problem(429, "Too fast.", QUOTA_EXCEEDED, title="Quota exceeded", violated_policies=("per-client",))
    body = json.loads(problem.body())
    assert body["title"] == "Quota exceeded"
    assert body["violated-policies"] == ["per-client"]


def test_any_text_is_ascii_json() -> None:
    problem = Problem(400, 'quote " newline \n', instance="/caf\xe9\x00")
    assert problem.body().isascii()
    assert json.loads(problem.body())["instance"] == "/caf\xe9\x00"


def test_the_head_is_never_stored_and_takes_more_fields() -> None:
    head = problem_head(Problem(429, "Too fast."), ("Retry-After", "3"))
    assert (head.status, head.reason) == (429, "Too Many Requests")
    assert head.fields.pairs == (
        ("Content-Type", "application/problem+json"),
        ("Cache-Control", "no-store"),
        ("Retry-After", "3"),
    )


def test_an_unregistered_status_has_no_phrase() -> None:
    assert problem_head(Problem(599, "x")).reason == ""


def test_a_body_leaves_nothing_to_the_collector() -> None:
    """Thousands of refusals a second would else make everybody wait for a collection of cycles."""
    problem = Problem(503, "Try again.", instance="/a", violated_policies=("per-client", "per-route"))
    problem.body()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            problem.body()
        assert gc.collect() == 0
    finally:
        gc.enable()
