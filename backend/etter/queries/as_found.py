"""The reads as the optimisation guides found them: whole rows, and each relation fetched when it is touched.

They exist to measure the difference; `ETTER_UNOPTIMISED` puts them in force. Their answers are those of the others.
"""

from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from etter.db.tables import Company, DashboardEntry, RoleAdjacency, User, WorkflowHistory
from etter.models.companies import CompanyDetail, TeamSize
from etter.models.reference import AdjacencyQuery, Neighbour, RoleNeighbours
from etter.models.users import Named, RunItem, UserDetail
from etter.models.work import DashboardLine, RunCounts
from etter.queries.scope import in_company


def user_detail(session: Session, user_id: int, company_scope: int | None) -> UserDetail | None:
    """Read one user."""
    wanted = select(User).where(User.id == user_id, *in_company(User.company_id, company_scope))
    user = session.scalars(wanted).one_or_none()
    if user is None:
        return None
    return UserDetail(
        id=user.id,
        email=user.email,
        name=user.name,
        title=user.title,
        bio=user.bio,
        is_active=user.is_active,
        is_admin=user.is_admin,
        company=Named(user.company.id, user.company.name),
        roles=[Named(role.id, role.name) for role in user.roles],
        teams=[Named(team.id, team.name) for team in user.teams],
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def runs_of_user(session: Session, user_id: int, company_scope: int | None, limit: int) -> list[RunItem]:
    """Read a user's latest runs for the company."""
    newest = (WorkflowHistory.started_at.desc(), WorkflowHistory.id.desc())
    own = (WorkflowHistory.user_id == user_id, *in_company(WorkflowHistory.company_id, company_scope))
    runs = select(WorkflowHistory).where(*own).order_by(*newest).limit(limit)
    return [_run(run) for run in session.scalars(runs)]


def company_detail(session: Session, company_id: int) -> CompanyDetail | None:
    """Read a company, and count by loading everybody."""
    company = session.get(Company, company_id)
    if company is None:
        return None
    users = session.scalars(select(User).where(User.company_id == company_id)).all()
    return CompanyDetail(
        id=company.id,
        name=company.name,
        industry=company.industry,
        country=company.country,
        users=len(users),
        active_users=sum(user.is_active for user in users),
        teams=[TeamSize(team.id, team.name, len(team.members)) for team in company.teams],
        created_at=company.created_at,
        updated_at=company.updated_at,
    )


def runs_of_workflow(session: Session, workflow_id: int, company_scope: int | None, limit: int) -> list[RunItem]:
    """Read the latest runs of a workflow by the company's users."""
    runs = (
        select(WorkflowHistory)
        .join(WorkflowHistory.user)
        .where(WorkflowHistory.workflow_id == workflow_id, *in_company(WorkflowHistory.company_id, company_scope))
        .order_by(WorkflowHistory.started_at.desc(), WorkflowHistory.id.desc())
        .limit(limit)
    )
    return [_run(run) for run in session.scalars(runs)]


def dashboard_lines(
    session: Session, company_scope: int | None, workflow_id: int | None, limit: int
) -> list[DashboardLine]:
    """Read the dashboard's lines, and count the runs of each."""
    entries = select(DashboardEntry).where(*in_company(DashboardEntry.company_id, company_scope)).limit(limit)
    if workflow_id is not None:
        entries = entries.where(DashboardEntry.workflow_id == workflow_id)
    ordered = entries.order_by(DashboardEntry.company_id, DashboardEntry.workflow_id)
    return [_line(session, entry) for entry in session.scalars(ordered).all()]


def role_neighbours(session: Session, query: AdjacencyQuery, limit: int) -> list[RoleNeighbours]:
    """Read pairs of roles, and each role of each pair."""
    pairs = (
        select(RoleAdjacency)
        .where(RoleAdjacency.similarity >= query.min_similarity)
        .order_by(RoleAdjacency.role_id, RoleAdjacency.similarity.desc(), RoleAdjacency.adjacent_role_id)
        .limit(limit)
    )
    if query.role_id is not None:
        pairs = pairs.where(RoleAdjacency.role_id == query.role_id)
    return [
        RoleNeighbours(
            role.id,
            role.name,
            [Neighbour(pair.adjacent.id, pair.adjacent.name, pair.similarity) for pair in group],
        )
        for role, group in groupby(session.scalars(pairs), key=lambda pair: pair.role)
    ]


def _run(run: WorkflowHistory) -> RunItem:
    return RunItem(
        id=run.id,
        user=Named(run.user.id, run.user.name),
        workflow=Named(run.workflow.id, run.workflow.name),
        status=run.status,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _line(session: Session, entry: DashboardEntry) -> DashboardLine:
    counts = (
        select(WorkflowHistory.status, func.count().label("runs"))
        .join(WorkflowHistory.user)
        .where(WorkflowHistory.company_id == entry.company_id, WorkflowHistory.workflow_id == entry.workflow_id)
        .group_by(WorkflowHistory.status)
    )
    return DashboardLine(
        id=entry.id,
        company_id=entry.company_id,
        workflow=Named(entry.workflow.id, entry.workflow.name),
        function=entry.workflow.function,
        etter_score=entry.etter_score,
        validated_score=entry.validated_score,
        runs=RunCounts(**{row.status: row.runs for row in session.execute(counts)}),
        updated_at=entry.updated_at,
    )
