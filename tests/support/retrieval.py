"""A retriever that has what the test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from veneer.core.fields import Fields
from veneer.ports import Resource, Retrieved, UpstreamError, UpstreamFailure


@dataclass
class ScriptedRetriever:
    """Implements `veneer.ports.Retriever`: `answers` by target, None for a service that never answers.

    Who asks for something else finds nobody there. `gate`, where there is one, holds all answers back.
    """

    answers: Mapping[str, Retrieved | None] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    asked: list[tuple[Resource, Fields]] = field(default_factory=list)

    async def get(self, resource: Resource, fields: Fields, timeout_s: float, most_bytes: int) -> Retrieved:
        """As the port."""
        self.asked.append((resource, fields))
        if self.gate is not None:
            await self.gate.wait()
        if resource.target not in self.answers:
            raise UpstreamError(UpstreamFailure.CONNECT, "nobody is there", sent=False)
        answer = self.answers[resource.target]
        if answer is None:
            await asyncio.sleep(timeout_s)
            raise UpstreamError(UpstreamFailure.READ_TIMEOUT, "no whole answer", sent=True)
        if len(answer.body) > most_bytes:
            raise UpstreamError(UpstreamFailure.MALFORMED, "too large", sent=True)
        return answer
