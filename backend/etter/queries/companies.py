"""SQL of companies."""

from sqlalchemy import Integer, bindparam, func, select, true
from sqlalchemy.orm import Session

from etter.db.tables import Company, Team, TeamMember, User
from etter.models.companies import CompanyDetail, CompanyItem, CompanyListQuery, TeamSize
from etter.queries import as_found
from etter.queries.loading import Filters, ListSpec, Loading, anywhere, contains

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
    filters={"q": contains(Company.name, "q"), "industry": Company.industry == bindparam("industry")},
    from_entity=lambda one: CompanyItem(id=one.id, name=one.name, industry=one.industry, country=one.country),
)


def company_filters(query: CompanyListQuery) -> Filters:
    """Turn a list query into filters."""
    return {"q": anywhere(query.q), "industry": query.industry}


_COMPANY_ID = bindparam("company_id", type_=Integer)
_HEADS = (
    select(func.count().label("users"), func.count().filter(User.is_active).label("active_users"))
    .where(User.company_id == _COMPANY_ID)
    .subquery()
)
COMPANY_DETAIL = (
    select(
        Company.id,
        Company.name,
        Company.industry,
        Company.country,
        Company.created_at,
        Company.updated_at,
        _HEADS.c.users,
        _HEADS.c.active_users,
    )
    .join(_HEADS, true())
    .where(Company.id == _COMPANY_ID)
)
TEAM_SIZES = (
    select(Team.id, Team.name, func.count(TeamMember.user_id))
    .outerjoin(TeamMember, TeamMember.team_id == Team.id)
    .where(Team.company_id == _COMPANY_ID)
    .group_by(Team.id)
    .order_by(Team.id)
)


def company_detail(session: Session, loading: Loading, company_id: int) -> CompanyDetail | None:
    """Read a company with its head counts and team sizes, in two statements."""
    if loading.unoptimised:
        return as_found.company_detail(session, company_id)
    row = session.execute(COMPANY_DETAIL, {"company_id": company_id}).one_or_none()
    if row is None:
        return None
    return CompanyDetail(
        id=row.id,
        name=row.name,
        industry=row.industry,
        country=row.country,
        users=row.users,
        active_users=row.active_users,
        teams=[TeamSize(*size) for size in session.execute(TEAM_SIZES, {"company_id": company_id})],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
