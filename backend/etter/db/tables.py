"""The Etter domain as SQLAlchemy 2 classes. Secondary indexes live under `indexes/`, not here."""

import datetime as dt

from sqlalchemy import BigInteger, DateTime, Float, ForeignKey, Index, Integer, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Ancestor of every table."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text(),
        dt.datetime: DateTime(timezone=True),
    }


class Company(Base):
    """A customer of Etter."""

    __tablename__ = "companies"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    industry: Mapped[str]
    country: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    teams: Mapped[list["Team"]] = relationship(back_populates="company", order_by="Team.id")


class Role(Base):
    """A kind of job, shared by all companies."""

    __tablename__ = "roles"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    family: Mapped[str]
    level: Mapped[int]


class UserRole(Base):
    """Which user holds which role."""

    __tablename__ = "user_roles"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), primary_key=True)


class TeamMember(Base):
    """Which user is in which team."""

    __tablename__ = "team_members"
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)


class User(Base):
    """A person who works for a company. `email` is in lower case, and unique whatever its case."""

    __tablename__ = "users"
    __table_args__ = (Index("users_email_lower_key", text("lower(email)"), unique=True),)
    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    email: Mapped[str]
    name: Mapped[str]
    title: Mapped[str]
    bio: Mapped[str] = mapped_column(server_default="")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    is_admin: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    company: Mapped[Company] = relationship()
    roles: Mapped[list[Role]] = relationship(secondary="user_roles", order_by=Role.id, passive_deletes=True)
    teams: Mapped[list["Team"]] = relationship(
        secondary="team_members", back_populates="members", order_by="Team.id", passive_deletes=True
    )


class Team(Base):
    """A group of people inside a company."""

    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    name: Mapped[str]
    company: Mapped[Company] = relationship(back_populates="teams")
    members: Mapped[list[User]] = relationship(secondary="team_members", back_populates="teams")


class Task(Base):
    """A piece of work, as offered by the task autocomplete."""

    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    category: Mapped[str]


class Workflow(Base):
    """A workflow of the shared library; the same for all companies."""

    __tablename__ = "workflows"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    function: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    steps: Mapped[list["WorkflowStep"]] = relationship(order_by="WorkflowStep.position")


class WorkflowStep(Base):
    """One step of a workflow; `automation` is the share of it that a machine could do, 0 to 1."""

    __tablename__ = "workflow_steps"
    id: Mapped[int] = mapped_column(primary_key=True)
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str]
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    minutes: Mapped[int]
    automation: Mapped[float] = mapped_column(Float)
    task: Mapped[Task] = relationship()


class WorkflowHistory(Base):
    """One run of a workflow by a user, for the company that the user works for at that time."""

    __tablename__ = "user_workflow_history"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    status: Mapped[str]
    started_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[dt.datetime | None]
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    user: Mapped[User] = relationship()
    workflow: Mapped[Workflow] = relationship()


class Project(Base):
    """A project of one user."""

    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Document(Base):
    """A document of one company, its tenant."""

    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    title: Mapped[str]
    body: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class DashboardEntry(Base):
    """One line of the CHRO dashboard: how far a workflow could be automated in a company, in percent."""

    __tablename__ = "chro_dashboard_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    etter_score: Mapped[float] = mapped_column(Float)
    validated_score: Mapped[float | None] = mapped_column(Float)
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    workflow: Mapped[Workflow] = relationship()


class RoleAdjacency(Base):
    """How near two roles are to each other, 0 to 1."""

    __tablename__ = "role_adjacency"
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), primary_key=True)
    adjacent_role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"), primary_key=True)
    similarity: Mapped[float] = mapped_column(Float)
    role: Mapped[Role] = relationship(foreign_keys=[role_id])
    adjacent: Mapped[Role] = relationship(foreign_keys=[adjacent_role_id])


class SeedState(Base):
    """Which data set has been loaded; at most one row."""

    __tablename__ = "seed_state"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    size: Mapped[str]
