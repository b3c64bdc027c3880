"""Facts about a company from other services: asked all at once, each with a timeout, partial answers welcome."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import msgspec

from etter.errors import ExternalServiceError
from etter.settings import SettingsError
from etter.web.envelope import Problem

log = logging.getLogger("etter.enrichment")
MAX_ANSWER_BYTES = 65_536


class Enrichment(msgspec.Struct, frozen=True):
    """What each service said, by the service's name; a service that failed is missing."""

    company_id: int
    facts: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers and failures of one round."""

    enrichment: Enrichment
    problems: tuple[Problem, ...]


def parse_services(text: str) -> Mapping[str, str]:
    """Read `name=url,name=url`; `{company_id}` in a URL is replaced."""
    services = {}
    for pair in filter(None, text.split(",")):
        name, separator, url = pair.partition("=")
        if not separator or not url.startswith(("http://", "https://")):
            msg = f"ETTER_ENRICHMENT_URLS: {pair}: expected name=http://host/path"
            raise SettingsError(msg)
        services[name.strip()] = url
    return services


class EnrichmentService:
    """Asks the configured services."""

    def __init__(self, session: aiohttp.ClientSession, services: Mapping[str, str], timeout_seconds: float) -> None:
        self._session = session
        self._services = services
        self._timeout_seconds = timeout_seconds

    async def enrich(self, company_id: int) -> Answers:
        """Ask all services at once; raise ExternalServiceError only when none answers."""
        outcomes = await asyncio.gather(
            *(self._ask(name, url.replace("{company_id}", str(company_id))) for name, url in self._services.items())
        )
        facts = {name: outcome for name, outcome in zip(self._services, outcomes, strict=True) if outcome is not None}
        problems = tuple(Problem(source=name, message="no answer") for name in self._services if name not in facts)
        if problems and not facts:
            raise ExternalServiceError("No external service answered", services=",".join(self._services))
        return Answers(Enrichment(company_id, facts), problems)

    async def _ask(self, name: str, url: str) -> msgspec.Raw | None:
        try:
            async with asyncio.timeout(self._timeout_seconds), self._session.get(url) as response:
                response.raise_for_status()
                body = await response.content.read(MAX_ANSWER_BYTES + 1)
                while len(body) <= MAX_ANSWER_BYTES and (more := await response.content.read(MAX_ANSWER_BYTES)):
                    body += more
            if len(body) > MAX_ANSWER_BYTES:
                log.warning("answer too large", extra={"service": name, "limit_bytes": MAX_ANSWER_BYTES})
                return None
            msgspec.json.decode(body)  # what we pass on must be JSON
            return msgspec.Raw(body)
        except (TimeoutError, aiohttp.ClientError, msgspec.DecodeError) as error:
            log.warning("service failed", extra={"service": name, "problem": type(error).__name__})
            return None
