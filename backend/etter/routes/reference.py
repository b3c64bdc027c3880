"""Routes of reference data and autocomplete."""

from dataclasses import dataclass

from etter import groups
from etter.models.reference import AdjacencyQuery, AutoCompleteQuery, RoleNeighbours, Suggestion
from etter.services.reference import ReferenceService
from etter.services.users import UserService
from etter.web.caching import CacheAdvice, Sharing
from etter.web.call import Call, NoBody, Result, Route

_USERS = CacheAdvice(Sharing.COMPANY, shared_seconds=300)
_TASKS = CacheAdvice(Sharing.REFERENCE, shared_seconds=600)
_ROLES = CacheAdvice(Sharing.REFERENCE, shared_seconds=86_400)


@dataclass(frozen=True, slots=True)
class ReferenceRoutes:
    """Handlers over the reference service; user names come from the user service."""

    reference: ReferenceService
    users: UserService

    async def complete(self, call: Call[AutoCompleteQuery, NoBody]) -> Result:
        """Complete a user's or a task's name."""
        if call.query.type == "task":
            tasks = await self.reference.tasks(call.query.q)
            return Result(tasks, groups=(groups.TASKS,), advice=_TASKS)
        found = await self.users.suggestions(call.caller, call.query.q)
        company_id = call.caller.company_id
        depends = (groups.company_staff(company_id), groups.company_completion(company_id, call.query.q))
        people = groups.users_shown(suggestion.id for suggestion in found)
        return Result(found, groups=(groups.USERS, *depends, *people))

    async def neighbours(self, call: Call[AdjacencyQuery, NoBody]) -> Result:
        """Show which roles are near which."""
        return Result(await self.reference.neighbours(call.query), groups=(groups.ROLES,))

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        return (
            Route(
                method="GET",
                path="/api/etter/auto_complete",
                summary="Complete a name",
                handler=self.complete,
                advice=_USERS,
                data=list[Suggestion],
                query=AutoCompleteQuery,
            ),
            Route(
                method="GET",
                path="/api/etter/role_adjacency",
                summary="Roles near each other",
                handler=self.neighbours,
                advice=_ROLES,
                data=list[RoleNeighbours],
                query=AdjacencyQuery,
            ),
        )
