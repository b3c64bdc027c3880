"""The read-only part of the admin listener, for probes and scrapers that have no token and reach nothing else."""

from __future__ import annotations

from aiohttp import web

from veneer.admin.application import ProbeAnswers, guarded
from veneer.admin.hurried import in_time


def build_probes(answers: ProbeAnswers) -> web.Application:
    """The application; it changes nothing and takes no body, whoever asks."""
    application = web.Application(middlewares=[in_time, guarded(None)], client_max_size=1)
    application.add_routes(
        [
            web.get("/health", answers.health),
            web.get("/ready", answers.ready),
            web.get("/metrics", answers.metrics),
        ]
    )
    return application
