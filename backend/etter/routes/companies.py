"""Routes of companies."""

from dataclasses import dataclass

from etter import groups
from etter.models.companies import CompanyChange, CompanyDetail, CompanyItem, CompanyListQuery
from etter.services.companies import CompanyService, touched
from etter.web.caching import CacheAdvice, Sharing
from etter.web.call import Call, NoBody, NoQuery, Result, Route
from etter.web.envelope import Page
from etter.web.sparse import DetailQuery, sparse, sparse_type

_ONE = "/api/etter/companies/{id}"


@dataclass(frozen=True, slots=True)
class CompanyRoutes:
    """Handlers over the company service."""

    companies: CompanyService

    async def master(self, call: Call[CompanyListQuery, NoBody]) -> Result:
        """List all companies."""
        listed = await self.companies.master_list(call.query, call.url)
        return Result(listed.page, groups=(groups.COMPANIES, *groups.companies_shown(listed.ids)))

    async def get(self, call: Call[DetailQuery, NoBody]) -> Result:
        """Read the caller's company."""
        company = await self.companies.get(call.caller, call.id)
        return Result(
            sparse(company, call.query.fields), groups=(groups.company(call.id), groups.company_staff(call.id))
        )

    async def change(self, call: Call[NoQuery, CompanyChange]) -> Result:
        """Change the caller's company."""
        company = await self.companies.change(call.caller, call.id, call.body)
        return Result(company, invalidates=touched(call.id, call.body))

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        return (
            Route(
                method="GET",
                path="/api/etter/master_companies",
                summary="List all companies",
                handler=self.master,
                advice=CacheAdvice(Sharing.REFERENCE, shared_seconds=3600),
                data=Page[CompanyItem],
                query=CompanyListQuery,
            ),
            Route(
                method="GET",
                path=_ONE,
                summary="Read a company",
                handler=self.get,
                advice=CacheAdvice(Sharing.COMPANY, shared_seconds=3600),
                data=sparse_type(CompanyDetail),
                query=DetailQuery,
            ),
            Route(
                method="PATCH",
                path=_ONE,
                summary="Change a company",
                handler=self.change,
                data=CompanyDetail,
                body=CompanyChange,
            ),
        )
