"""The route that explains named statements."""

from dataclasses import dataclass

import msgspec

from etter.queries.named import Sample
from etter.services.explain import Explained, ExplainService
from etter.web.call import Call, NoBody, Result, Route
from etter.web.fields import Email, Id, Search


class ExplainQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which statement, and the values to fill it with."""

    name: Search
    company_id: Id = 1
    user_id: Id = 1
    workflow_id: Id = 1
    email: Email = "nobody@example.com"


@dataclass(frozen=True, slots=True)
class ExplainRoutes:
    """Handlers over the explain service."""

    explaining: ExplainService

    async def explain(self, call: Call[ExplainQuery, NoBody]) -> Result:
        """Explain one statement."""
        query = call.query
        sample = Sample(query.company_id, query.user_id, query.workflow_id, query.email)
        return Result(await self.explaining.explain(call.caller, query.name, sample))

    def table(self) -> tuple[Route, ...]:
        """Declare the route."""
        return (
            Route(
                method="GET",
                path="/api/etter/explain",
                summary="Explain a named statement",
                handler=self.explain,
                data=Explained,
                query=ExplainQuery,
            ),
        )
