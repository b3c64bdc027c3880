"""What is served without a token, and nothing else."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from veneer.admin.answers import json_answer
from veneer.admin.probes import build_probes
from veneer.admin.views import Health


class Answers:
    async def health(self, _request: web.Request) -> web.Response:
        return json_answer(Health("ok"))

    async def ready(self, _request: web.Request) -> web.Response:
        return json_answer(Health("draining"), 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(text="veneer_up 1\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/ready", 503),
        ("GET", "/metrics", 200),
        ("GET", "/", 404),
        ("GET", "/stats", 404),
        ("GET", "/health/detailed", 404),
        ("POST", "/purge", 404),
        ("POST", "/metrics", 405),
        ("GET", "/changes", 404),
    ],
)
async def test_probes_and_metrics_alone(method: str, path: str, status: int) -> None:
    async with (
        TestClient(TestServer(build_probes(Answers()))) as client,
        client.request(method, path, headers={"Host": "10.0.0.7:9091"}) as answer,
    ):
        assert answer.status == status
