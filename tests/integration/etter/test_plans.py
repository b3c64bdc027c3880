"""Plans on a data set large enough to matter: each index is chosen by a statement of the service, none is idle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from etter.db.engine import plain_engine
from etter.indexes.apply import apply_indexes
from etter.indexes.files import default_directory, read_files
from etter.indexes.report import unused
from etter.migrate import migrate
from etter.queries.named import NAMED, Sample
from etter.seed.load import seed
from etter.seed.sizes import SizeName
from etter.services.explain import explain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# `make test` looks at the demo data, `make plans` at the load data: the plans are the same.
SIZE = os.environ.get("ETTER_PLAN_SIZE", "demo")
LARGE = {"users", "user_workflow_history", "documents", "projects", "chro_dashboard_entry", "team_members"}
COUNTED_BY = "user_workflow_history_company_id_workflow_id_status_idx"
CHOSEN = {
    "users_of_company": "users_company_id_idx",
    "user_by_email": "users_email_lower_key",
    "user_completion_by_email": "users_email_is_active_idx",
    "users_newest": "users_created_at_idx",
    "user_search": "users_name_trgm_idx",
    "teams_of_company": "teams_company_id_idx",
    "user_detail": "team_members_user_id_idx",
    "runs_of_user": "user_workflow_history_user_id_idx",
    "runs_of_workflow": "user_workflow_history_workflow_id_idx",
    "runs_of_company": "user_workflow_history_company_id_idx",
    "runs_failed": "user_workflow_history_status_idx",
    "runs_of_user_in_workflow": "user_workflow_history_user_id_workflow_id_status_idx",
    "documents_of_company": "documents_tenant_id_idx",
    "documents_quarantined": "documents_status_idx",
    "documents_newest": "documents_created_at_idx",
    "projects_of_user": "projects_user_id_created_at_idx",
    "projects_blocked": "projects_status_idx",
    "dashboard_of_workflow": "chro_dashboard_entry_workflow_id_idx",
    "dashboard_of_company": "chro_dashboard_entry_company_id_idx",
    "runs_of_company_by_cursor": "user_workflow_history_company_id_idx",
    "runs_of_workflow_in_company": "user_workflow_history_company_id_workflow_id_status_idx",
    "workflow_detail": "workflow_steps_workflow_id_idx",
}


class Node(msgspec.Struct, rename={"kind": "Node Type", "index": "Index Name", "relation": "Relation Name"}):
    kind: str
    index: str | None = None
    relation: str | None = None
    plans: list[Node] = msgspec.field(default_factory=list, name="Plans")

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.plans:
            yield from child.walk()


class Explained(msgspec.Struct):
    plan: Node = msgspec.field(name="Plan")


@pytest.fixture(scope="module")
def engine(database_url: str) -> Engine:
    assert SIZE in get_args(SizeName)
    migrate(database_url)
    engine = plain_engine(database_url)
    seed(engine, SIZE, quiet=True)  # type: ignore[arg-type]  # checked above
    apply_indexes(engine, read_files(default_directory()), lambda _line: None)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return engine


def nodes(engine: Engine, name: str) -> list[Node]:
    with Session(engine) as session:
        email = session.execute(text("SELECT email FROM users WHERE id = 42")).scalar_one()
        sample = Sample(company_id=7, user_id=42, workflow_id=84, email=email)
        (explained,) = msgspec.json.decode(bytes(explain(session, name, sample).plan), type=list[Explained])
    return list(explained.plan.walk())


def test_every_shipped_index_has_its_statement() -> None:
    assert set(CHOSEN) == set(NAMED)
    shipped = {index.name for index in read_files(default_directory()).indexes}
    assert set(CHOSEN.values()) == shipped | {"users_email_lower_key"}  # this one is a part of the schema


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_plan_uses_the_index_and_scans_no_large_table(engine: Engine, name: str) -> None:
    found = nodes(engine, name)
    assert CHOSEN[name] in {node.index for node in found}
    assert not [node.relation for node in found if node.kind == "Seq Scan" and node.relation in LARGE]


@pytest.mark.parametrize("name", ["dashboard_of_company", "dashboard_of_workflow"])
def test_runs_on_dashboards_are_counted_from_the_index_alone(engine: Engine, name: str) -> None:
    counting = [node for node in nodes(engine, name) if node.index == COUNTED_BY]
    assert [node.kind for node in counting] == ["Index Only Scan"]


def test_no_index_is_idle(engine: Engine) -> None:
    for name in NAMED:
        nodes(engine, name)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    lines = [line for line in unused(engine, read_files(default_directory())) if line.startswith(("unused", "covered"))]
    assert lines == []
