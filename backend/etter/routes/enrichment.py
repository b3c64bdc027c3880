"""The route of facts from other services."""

from collections.abc import Callable
from dataclasses import dataclass

from etter import groups
from etter.services.companies import CompanyService
from etter.services.enrichment import Enrichment, EnrichmentService
from etter.web.caching import STORED_BY_NOBODY, CacheAdvice, Sharing
from etter.web.call import Call, NoBody, NoQuery, Result, Route


@dataclass(frozen=True, slots=True)
class EnrichmentRoutes:
    """The client session lives as long as the running application, hence the function."""

    companies: CompanyService
    enrichment: Callable[[], EnrichmentService]

    async def get(self, call: Call[NoQuery, NoBody]) -> Result:
        """Collect facts about the caller's company; an incomplete answer is not stored."""
        await self.companies.get(call.caller, call.id)
        answers = await self.enrichment().enrich(call.id)
        return Result(
            answers.enrichment,
            groups=(groups.company(call.id),),
            errors=answers.problems,
            advice=STORED_BY_NOBODY if answers.problems else None,
            message="some services did not answer" if answers.problems else None,
        )

    def table(self) -> tuple[Route, ...]:
        """Declare the route."""
        return (
            Route(
                method="GET",
                path="/api/etter/companies/{id}/enrichment",
                summary="Facts from other services",
                handler=self.get,
                advice=CacheAdvice(Sharing.COMPANY, shared_seconds=600),
                data=Enrichment,
            ),
        )
