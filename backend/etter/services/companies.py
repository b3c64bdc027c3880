"""Companies: the master list for everyone, details for members."""

from msgspec import UNSET
from sqlalchemy.orm import Session
from yarl import URL

from etter import groups
from etter.db.tables import Company
from etter.models.companies import CompanyChange, CompanyDetail, CompanyItem, CompanyListQuery
from etter.queries import companies as sql
from etter.services.base import BaseService, Listed, Tools, assign
from etter.services.standing import require_admin
from etter.web.auth import Caller


class CompanyService(BaseService[Company, CompanyItem]):
    """Reads and writes companies."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools, sql.COMPANY_LIST, "company", Company.id)

    async def master_list(self, query: CompanyListQuery, url: URL) -> Listed[CompanyItem]:
        """List all companies; names and industries are no secret."""
        return await self.page(query, query.sort, sql.company_filters(query), url)

    async def get(self, caller: Caller, company_id: int) -> CompanyDetail:
        """Read one company; other companies' details look as if they were not there."""
        self._refuse_stranger(caller, company_id)

        return await self.find(company_id, lambda session: self._detail(session, company_id))

    async def change(self, caller: Caller, company_id: int, change: CompanyChange) -> CompanyDetail:
        """Change some of a company's facts."""
        self._refuse_stranger(caller, company_id)
        require_admin(caller, "change it")

        def apply(_session: Session, company: Company) -> None:
            assign(company, change)
            company.updated_at = self.tools.clock()

        def reread(session: Session, company: Company) -> CompanyDetail:
            return self.found(company.id, self._detail(session, company.id))

        return await self.update(company_id, caller.company_scope, apply, reread)

    def _detail(self, session: Session, company_id: int) -> CompanyDetail | None:
        return sql.company_detail(session, self.tools.loading, company_id)

    def _refuse_stranger(self, caller: Caller, company_id: int) -> None:
        if caller.company_scope not in {None, company_id}:
            raise self.missing(company_id)


def touched(company_id: int, change: CompanyChange) -> tuple[str, ...]:
    """Name the groups that a change made stale: the master list's order and filters know names and industries only."""
    stale = [groups.company(company_id)]
    if change.name is not UNSET:
        stale.append(groups.company_name(company_id))
    if change.name is not UNSET or change.industry is not UNSET:
        stale.append(groups.COMPANIES)
    return tuple(stale)
