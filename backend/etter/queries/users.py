"""SQL of users."""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ARRAY, JSON, ColumnElement, Integer, Select, Text, bindparam, exists, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from etter.db.tables import Company, Role, Team, TeamMember, User, UserRole
from etter.models.reference import Suggestion
from etter.models.users import Named, UserDetail, UserItem, UserListQuery
from etter.queries import as_found
from etter.queries.loading import Filters, ListSpec, Loading, anywhere, contains, cut, escape_like
from etter.queries.scope import in_scope

_ROLE_NAMES = func.array(
    select(Role.name)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == User.id)
    .order_by(Role.id)
    .correlate(User)
    .scalar_subquery(),
    type_=ARRAY(Text()),
)


def _item(user: User) -> UserItem:
    return UserItem(
        id=user.id,
        company_id=user.company_id,
        email=user.email,
        name=user.name,
        title=user.title,
        bio=user.bio,
        is_active=user.is_active,
        is_admin=user.is_admin,
        roles=[role.name for role in user.roles],
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


USER_LIST = ListSpec(
    entity=User,
    item=UserItem,
    id=User.id,
    columns={
        "id": User.id,
        "company_id": User.company_id,
        "email": User.email,
        "name": User.name,
        "title": User.title,
        "bio": cut(User.bio),
        "is_active": User.is_active,
        "is_admin": User.is_admin,
        "roles": _ROLE_NAMES,
        "created_at": User.created_at,
        "updated_at": User.updated_at,
    },
    sorts={"id": User.id, "name": User.name, "created_at": User.created_at},
    filters={
        "scope": User.company_id == bindparam("scope"),
        "company_id": User.company_id == bindparam("company_id"),
        "email": func.lower(User.email) == bindparam("email", type_=Text()),
        "is_active": User.is_active == bindparam("is_active"),
        "q": contains(User.name, "q"),
    },
    from_entity=_item,
)


def user_filters(query: UserListQuery, company_scope: int | None) -> Filters:
    """Turn a list query into filters within the caller's company."""
    return {
        "scope": company_scope,
        "company_id": query.company_id,
        "email": query.email,
        "is_active": query.is_active,
        "q": anywhere(query.q),
    }


def _named(kind: type[Role] | type[Team], rows: Select[Any]) -> ColumnElement[Any]:
    """Gather ids and names of the rows into one JSON array: a collection without a statement or a row of its own."""
    pair = func.json_build_object("id", kind.id, "name", kind.name)
    gathered = func.coalesce(func.json_agg(aggregate_order_by(pair, kind.id)), text("'[]'"), type_=JSON)
    return rows.with_only_columns(gathered).correlate(User).scalar_subquery()


USER_DETAIL = (
    select(
        User.id,
        User.email,
        User.name,
        User.title,
        User.bio,
        User.is_active,
        User.is_admin,
        Company.id.label("company_id"),
        Company.name.label("company_name"),
        _named(Role, select(Role.id).join(UserRole).where(UserRole.user_id == User.id)).label("roles"),
        _named(Team, select(Team.id).join(TeamMember).where(TeamMember.user_id == User.id)).label("teams"),
        User.created_at,
        User.updated_at,
    )
    .join(User.company)
    .where(User.id == bindparam("user_id"), in_scope(User.company_id))
)


def user_detail(session: Session, loading: Loading, user_id: int, company_scope: int | None) -> UserDetail | None:
    """Read a user with company, roles and teams, in one statement."""
    if loading.unoptimised:
        return as_found.user_detail(session, user_id, company_scope)
    row = session.execute(USER_DETAIL, {"user_id": user_id, "scope": company_scope}).one_or_none()
    if row is None:
        return None
    return UserDetail(
        id=row.id,
        email=row.email,
        name=row.name,
        title=row.title,
        bio=row.bio,
        is_active=row.is_active,
        is_admin=row.is_admin,
        company=Named(row.company_id, row.company_name),
        roles=msgspec.convert(row.roles, list[Named]),
        teams=msgspec.convert(row.teams, list[Named]),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def email_taken(session: Session, email: str, except_id: int | None) -> bool:
    """Tell whether another user has the address."""
    same = func.lower(User.email) == email
    condition = same if except_id is None else same & (User.id != except_id)
    return bool(session.scalar(select(exists().where(condition))))


_COMPLETION = (
    select(User.id, User.name, User.title)
    .where(in_scope(User.company_id), User.is_active)
    .order_by(User.name, User.id)
    .limit(bindparam("limit", type_=Integer))
)
COMPLETION_BY_NAME = _COMPLETION.where(User.name.ilike(bindparam("pattern"), escape="\\"))
COMPLETION_BY_EMAIL = _COMPLETION.where(User.email.like(bindparam("pattern"), escape="\\"))


def complete_user(session: Session, text: str, company_scope: int | None, limit: int) -> list[Suggestion]:
    """Find active users by a part of the name, or by the start of the address when `text` has an `@`."""
    by_email = "@" in text
    pattern = f"{escape_like(text.lower())}%"
    values = {"scope": company_scope, "pattern": pattern if by_email else f"%{pattern}", "limit": limit}
    rows = session.execute(COMPLETION_BY_EMAIL if by_email else COMPLETION_BY_NAME, values)
    return [Suggestion(row.id, row.name, row.title) for row in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user is in the company."""

    company_id: int
    is_active: bool
    is_admin: bool


_STANDING = select(User.company_id, User.is_active, User.is_admin).where(User.id == bindparam("user_id"))


def user_standing(session: Session, user_id: int) -> Standing | None:
    """Read what a user is in the company."""
    row = session.execute(_STANDING, {"user_id": user_id}).one_or_none()
    return None if row is None else Standing(row.company_id, row.is_active, row.is_admin)


_VISIBLE = select(exists().where(User.id == bindparam("user_id"), in_scope(User.company_id)))


def user_visible(session: Session, user_id: int, company_scope: int | None) -> bool:
    """Tell whether the user exists in the caller's company."""
    return bool(session.scalar(_VISIBLE, {"user_id": user_id, "scope": company_scope}))
