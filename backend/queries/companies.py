"""SQL of companies."""

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from backend.db.tables import Company, Team, TeamMember, User
from backend.models.companies import CompanyDetail, CompanyItem, CompanyListQuery, TeamSize
from backend.queries.loading import ListSpec, Loading, contains

COMPANY_LIST = ListSpec(
    entity=Company,
    item=CompanyItem,
    id=Company.id,
    columns={
        "id": Company.id,
        "name": Company.name,
        "industry": Company.industry,
        "country": Company.country,
    },
    sorts={"id": Company.id, "name": Company.name},
    from_entity=lambda one: CompanyItem(id=one.id, name=one.name, industry=one.industry, country=one.country),
)


def company_filters(query: CompanyListQuery) -> list[ColumnElement[bool]]:
    """Turn a list query into conditions."""
    filters: list[ColumnElement[bool]] = []
    if query.q is not None:
        filters.append(contains(Company.name, query.q))
    if query.industry is not None:
        filters.append(Company.industry == query.industry)
    return filters


def company_detail(session: Session, loading: Loading, company_id: int) -> CompanyDetail | None:
    """Read a company with its head counts and team sizes, in two statements."""
    if loading.unoptimised:
        return _lazy_detail(session, company_id)
    heads = (
        select(func.count().label("users"), func.count().filter(User.is_active).label("active_users"))
        .where(User.company_id == company_id)
        .subquery()
    )
    row = session.execute(
        select(Company, heads.c.users, heads.c.active_users).join(heads, Company.id == company_id)
    ).one_or_none()
    if row is None:
        return None
    teams = [TeamSize(*size) for size in session.execute(team_sizes_statement(company_id))]
    return _detail(row[0], row.users, row.active_users, teams)


def team_sizes_statement(company_id: int) -> Select[int, str, int]:
    """Count the members of each team."""
    return (
        select(Team.id, Team.name, func.count(TeamMember.user_id))
        .outerjoin(TeamMember, TeamMember.team_id == Team.id)
        .where(Team.company_id == company_id)
        .group_by(Team.id)
        .order_by(Team.id)
    )


def _lazy_detail(session: Session, company_id: int) -> CompanyDetail | None:
    company = session.get(Company, company_id)
    if company is None:
        return None
    users = session.scalars(select(User).where(User.company_id == company_id)).all()
    teams = [TeamSize(team.id, team.name, len(team.members)) for team in company.teams]
    return _detail(company, len(users), sum(user.is_active for user in users), teams)


def _detail(company: Company, users: int, active: int, teams: list[TeamSize]) -> CompanyDetail:
    return CompanyDetail(
        id=company.id,
        name=company.name,
        industry=company.industry,
        country=company.country,
        users=users,
        active_users=active,
        teams=teams,
        created_at=company.created_at,
        updated_at=company.updated_at,
    )
