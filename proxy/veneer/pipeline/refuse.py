"""Answers of the proxy's own: refusals and failures as problem details (RFC 9457)."""

from __future__ import annotations

import math
from dataclasses import replace

from veneer.core.fields import Pair
from veneer.core.outcome import CacheStatus
from veneer.core.problem import Problem, problem_head
from veneer.pipeline.answer import Answer, BytesBody
from veneer.pipeline.context import Exchange
from veneer.pipeline.exchange import CacheResult, Refusal
from veneer.ports import UpstreamError, UpstreamFailure

TIMEOUTS = frozenset(
    {UpstreamFailure.CONNECT_TIMEOUT, UpstreamFailure.READ_TIMEOUT, UpstreamFailure.WRITE_TIMEOUT}
)  # fmt: skip
OVERLOADED = frozenset({UpstreamFailure.POOL_TIMEOUT, UpstreamFailure.OVERLOADED, UpstreamFailure.UNHEALTHY})

REFUSED_HERE = frozenset({UpstreamFailure.POOL_TIMEOUT, UpstreamFailure.OVERLOADED})
"""These are the proxy's own, and Cache-Status names them."""


def problem_answer(problem: Problem, refused: Refusal, cache: CacheStatus, *extra: Pair) -> Answer:
    """An answer that carries `problem`, with more field lines."""
    head = problem_head(problem, *extra)
    return Answer(head, BytesBody(problem.body()), cache, CacheResult.NONE, refused=refused, error=problem.detail)


def refuse(
    exchange: Exchange, status: int, detail: str, refused: Refusal, cache: CacheStatus | None = None, *extra: Pair
) -> Answer:
    """A refusal of this request with `status`."""
    problem = Problem(status, detail, instance=exchange.request.target, request_id=exchange.request_id)
    return problem_answer(problem, refused, cache or CacheStatus(), *extra)


def upstream_failed(exchange: Exchange, error: UpstreamError, cache: CacheStatus) -> Answer:
    """502, 503 or 504 for a backend that gave no response (RFC 9110 sections 15.6.3 to 15.6.5).

    The client learns the kind of failure; addresses and details stay in the log.
    """
    if error.failure in REFUSED_HERE:
        cache = replace(cache, detail=error.failure.value)
    if error.failure in TIMEOUTS:
        answer = refuse(exchange, 504, "the backend did not answer in time", Refusal.UPSTREAM, cache)
    elif error.failure in OVERLOADED:
        detail, again = "the backend cannot take more requests now", str(max(1, math.ceil(error.retry_s)))
        answer = refuse(exchange, 503, detail, Refusal.UPSTREAM, cache, ("Retry-After", again))
    elif error.failure is UpstreamFailure.STREAMS_FULL:
        detail = "as many tunnels and event streams are open as may be"
        answer = refuse(exchange, 503, detail, Refusal.STREAMS, cache, ("Retry-After", "1"))
    elif error.failure is UpstreamFailure.CONNECT:
        answer = refuse(exchange, 502, "the backend cannot be reached", Refusal.UPSTREAM, cache)
    else:
        answer = refuse(exchange, 502, "the backend gave no valid response", Refusal.UPSTREAM, cache)
    return Answer(answer.head, answer.body, cache, answer.use, refused=answer.refused, error=str(error))
