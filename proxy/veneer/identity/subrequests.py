"""Services that are asked whose a credential is (subrequests): once for each, as long as their word lasts."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from veneer.core import breaker as circuit
from veneer.core.breaker import Breaker
from veneer.core.fields import Fields
from veneer.core.identity import ALWAYS, Proof, Window
from veneer.core.vouching import REFUSED_S, vouched_values, word_lasts
from veneer.identity.credentials import Credentials, credentials_of
from veneer.identity.remembered import CredentialMemory
from veneer.loop.tasks import Tasks
from veneer.policy.model_identity import SubrequestIdentity
from veneer.ports import Clock, Resource, Retrieved, Retriever, UpstreamError

MOST_BYTES: Final = 64 * 1024
"""Of an answer's body, which nobody reads."""
MOST_AT_ONCE: Final = 256
FAILURES: Final = 5
OPEN_S: Final = 1.0
"""After so many questions in a row without an answer nobody is asked for so long."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SubrequestCounts:
    """Questions by what came of them."""

    proven: int = 0
    refused: int = 0
    failed: int = 0


class Voucher:
    """Asks the service of one identity. Requests with one credential ask together.

    `memory` has what it said; of an Authorization alone under that field's bytes.
    """

    def __init__(
        self,
        identity: SubrequestIdentity,
        defined_by: str,
        retriever: Retriever,
        tasks: Tasks,
        counts: SubrequestCounts,
    ) -> None:
        self._identity = identity
        self._defined_by = defined_by
        self._retriever = retriever
        self._tasks = tasks
        self._counts = counts
        place, tls = identity.place, identity.place.tls
        known = (tls.ca, tls.certificate, tls.key, tls.server_name)
        self._resource = Resource(place.origin, place.target, *known, place.others)
        self.memory = CredentialMemory()
        self._asking: dict[bytes, asyncio.Task[Proof | None]] = {}
        self._breaker = Breaker()

    @property
    def names(self) -> frozenset[str]:
        """The names of the values that it may prove."""
        return frozenset([name for name, _ in self._identity.named])

    async def proof(self, fields: Fields, clock: Clock) -> Proof | None:
        """Whose the request's credentials are by the service's word; None where it says nothing, or is away."""
        credentials = credentials_of(self._identity.credentials, fields)
        if credentials is None:
            return None
        raw = credentials.raw
        known = self.memory.find(raw, clock.now())
        if known is not None:
            return known.proofs[0]
        asking = self._asking.get(raw)
        if asking is None:
            if len(self._asking) >= MOST_AT_ONCE or not circuit.admits(self._breaker, clock.monotonic()):
                return None
            self._breaker = circuit.begun(self._breaker)
            asking = self._asking[raw] = self._tasks.start(self._ask(credentials, clock), "ask whose a credential is")
            asking.add_done_callback(lambda _: self._asking.pop(raw, None))
        return await asyncio.shield(asking)

    async def _ask(self, credentials: Credentials, clock: Clock) -> Proof | None:
        asked = clock.now()
        try:
            answer = await self._retriever.get(self._resource, credentials.fields, self._identity.timeout_s, MOST_BYTES)
        except UpstreamError as error:
            self._counts.failed += 1
            if not self._breaker.failures:
                logger.warning("%s does not say who asks: %s", self._identity.place, error)
            self._breaker = circuit.failed(self._breaker, clock.monotonic(), FAILURES, OPEN_S)
            return None
        except BaseException:
            self._breaker = circuit.abandoned(self._breaker)
            raise
        self._breaker = circuit.succeeded()
        return self._heard(answer, credentials, asked)

    def _heard(self, answer: Retrieved, credentials: Credentials, asked: float) -> Proof | None:
        """What the answer proves. It counts from when it was asked for."""
        most_s = self._identity.lasts_s
        values = vouched_values(answer.fields, self._identity.named) if 200 <= answer.status < 300 else ()
        lasts_s = word_lasts(answer.fields, most_s if values else min(most_s, REFUSED_S))
        if values:
            self._counts.proven += 1
        elif answer.status in (401, 403):
            self._counts.refused += 1
        else:
            self._counts.failed += 1
        window = Window(ends=asked + lasts_s) if lasts_s else ALWAYS
        proof = Proof(values, self._defined_by, window, credentials.authorization, credentials.cookies)
        if lasts_s:
            self.memory.learn(credentials.raw, (proof,))
        return proof
