"""Reference data: the same for every caller."""

from etter.models.reference import AdjacencyQuery, RoleNeighbours, Suggestion
from etter.queries import reference as sql
from etter.services.base import Tools

SUGGESTIONS = 10


class ReferenceService:
    """Reads reference data."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    async def tasks(self, text: str) -> list[Suggestion]:
        """Complete the name of a task."""
        return await self.tools.database.read(lambda session: sql.complete_task(session, text, SUGGESTIONS))

    async def neighbours(self, query: AdjacencyQuery) -> list[RoleNeighbours]:
        """Read which roles are near which."""
        return await self.tools.database.read(lambda session: sql.role_neighbours(session, self.tools.loading, query))
