"""SQL of users."""

from sqlalchemy import ARRAY, ColumnElement, Select, Text, exists, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from backend.db.tables import Role, Team, TeamMember, User, UserRole, WorkflowHistory
from backend.models.reference import Suggestion
from backend.models.users import Named, RunItem, UserDetail, UserItem, UserListQuery
from backend.queries.loading import ListSpec, Loading, contains, cut, escape_like
from backend.queries.scope import in_company

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
        "roles": _ROLE_NAMES,
        "created_at": User.created_at,
        "updated_at": User.updated_at,
    },
    sorts={"id": User.id, "name": User.name, "created_at": User.created_at},
    from_entity=_item,
)


def user_filters(query: UserListQuery, company_scope: int | None) -> list[ColumnElement[bool]]:
    """Turn a list query into conditions within the caller's company."""
    filters = in_company(User.company_id, company_scope)
    if query.company_id is not None:
        filters.append(User.company_id == query.company_id)
    if query.email is not None:
        filters.append(User.email == query.email)
    if query.is_active is not None:
        filters.append(User.is_active.is_(query.is_active))
    if query.q is not None:
        filters.append(contains(User.name, query.q))
    return filters


def find_user(session: Session, loading: Loading, user_id: int, company_scope: int | None) -> User | None:
    """Load a user with company, roles and teams, in two statements."""
    statement = (
        select(User)
        .where(User.id == user_id, *in_company(User.company_id, company_scope))
        .options(*loading.eager(joinedload(User.company), joinedload(User.roles), selectinload(User.teams)))
    )
    return session.scalars(statement).unique().one_or_none()


def user_detail(user: User) -> UserDetail:
    """Copy a loaded user out of the session."""
    return UserDetail(
        id=user.id,
        email=user.email,
        name=user.name,
        title=user.title,
        bio=user.bio,
        is_active=user.is_active,
        company=Named(user.company.id, user.company.name),
        roles=[Named(role.id, role.name) for role in user.roles],
        teams=[Named(team.id, team.name) for team in user.teams],
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def email_taken(session: Session, email: str, except_id: int | None) -> bool:
    """Tell whether another user has the address."""
    condition = User.email == email if except_id is None else (User.email == email) & (User.id != except_id)
    return bool(session.scalar(select(exists().where(condition))))


def completion_statement(text: str, company_scope: int | None, limit: int) -> Select[int, str, str]:
    """Select active users by a part of the name, or by the start of the address when `text` has an `@`."""
    pattern = escape_like(text.lower())
    by_email = User.email.like(f"{pattern}%", escape="\\")
    return (
        select(User.id, User.name, User.title)
        .where(*in_company(User.company_id, company_scope), User.is_active)
        .where(by_email if "@" in text else contains(User.name, text))
        .order_by(User.name, User.id)
        .limit(limit)
    )


def complete_user(session: Session, text: str, company_scope: int | None, limit: int) -> list[Suggestion]:
    """Complete a name or an address."""
    rows = session.execute(completion_statement(text, company_scope, limit))
    return [Suggestion(row.id, row.name, row.title) for row in rows]


def user_visible(session: Session, user_id: int, company_scope: int | None) -> bool:
    """Tell whether the user exists in the caller's company."""
    condition = exists().where(User.id == user_id, *in_company(User.company_id, company_scope))
    return bool(session.scalar(select(condition)))


def teams_statement(user_id: int) -> Select[int, str]:
    """Select a user's teams: what loading them with the user sends."""
    return select(Team.id, Team.name).join(TeamMember).where(TeamMember.user_id == user_id).order_by(Team.id)


def runs_statement(loading: Loading, user_id: int, limit: int) -> Select[WorkflowHistory]:
    """Select a user's latest workflow runs."""
    return (
        select(WorkflowHistory)
        .where(WorkflowHistory.user_id == user_id)
        .order_by(WorkflowHistory.started_at.desc(), WorkflowHistory.id.desc())
        .limit(limit)
        .options(*loading.eager(joinedload(WorkflowHistory.user), joinedload(WorkflowHistory.workflow)))
    )


def user_runs(session: Session, loading: Loading, user_id: int, limit: int) -> list[RunItem]:
    """Read a user's latest workflow runs."""
    return [run_item(run) for run in session.scalars(runs_statement(loading, user_id, limit))]


def run_item(run: WorkflowHistory) -> RunItem:
    """Copy a loaded run out of the session."""
    return RunItem(
        id=run.id,
        user=Named(run.user.id, run.user.name),
        workflow=Named(run.workflow.id, run.workflow.name),
        status=run.status,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )
