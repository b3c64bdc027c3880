"""EXPLAIN (ANALYZE, BUFFERS) of a named statement, for the platform's engineers."""

import msgspec
from sqlalchemy.orm import Session

from etter.errors import NotFoundError, PermissionDeniedError
from etter.queries.named import NAMED, Sample
from etter.services.base import Tools
from etter.web.auth import Caller


class Explained(msgspec.Struct, frozen=True):
    """A statement and what PostgreSQL did with it."""

    name: str
    statement: str
    plan: msgspec.Raw


class ExplainService:
    """Runs named statements under EXPLAIN."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    async def explain(self, caller: Caller, name: str, sample: Sample) -> Explained:
        """Explain one named statement; it is really run, so only the platform may ask."""
        if caller.role != "platform":
            raise PermissionDeniedError("Only the platform may look at plans")
        if name not in NAMED:
            raise NotFoundError("No statement with this name", name=name, names=",".join(NAMED))
        return await self.tools.database.read(lambda session: explain(session, name, sample))


def explain(session: Session, name: str, sample: Sample) -> Explained:
    """Run the statement under EXPLAIN and return its plan."""
    connection = session.connection()
    options = {"literal_binds": True}
    statement = str(NAMED[name](sample).compile(dialect=connection.dialect, compile_kwargs=options))
    # The driver's own escape for a percent sign is in the text already.
    plan = connection.exec_driver_sql("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement)
    return Explained(name, statement, msgspec.Raw(msgspec.json.encode(plan.scalar_one())))
