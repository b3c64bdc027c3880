"""Routes of users."""

from dataclasses import dataclass

from etter import groups
from etter.models.users import Deleted, NewUser, RunItem, UserChange, UserDetail, UserItem, UserListQuery
from etter.services.users import UserService
from etter.web.caching import CacheAdvice, Sharing
from etter.web.call import Call, NoBody, NoQuery, Result, Route
from etter.web.envelope import Page
from etter.web.sparse import DetailQuery, sparse, sparse_type

_PATH = "/api/etter/users"
_ONE = "/api/etter/users/{id}"
_LIST = CacheAdvice(Sharing.COMPANY, shared_seconds=300)
_DETAIL = CacheAdvice(Sharing.COMPANY, shared_seconds=300)


@dataclass(frozen=True, slots=True)
class UserRoutes:
    """Handlers over the user service."""

    users: UserService

    async def list(self, call: Call[UserListQuery, NoBody]) -> Result:
        """List users of the caller's company."""
        query, company_id = call.query, call.caller.company_id
        listed = await self.users.users(call.caller, query, call.url)
        shown = (groups.USERS, groups.company_staff(company_id), *groups.users_shown(listed.ids))
        by_name = query.q is not None or query.email is not None or query.sort.endswith("name")
        return Result(listed.page, groups=(*shown, groups.company_names(company_id)) if by_name else shown)

    async def get(self, call: Call[DetailQuery, NoBody]) -> Result:
        """Read one user."""
        user = await self.users.get(call.caller, call.id)
        return Result(
            sparse(user, call.query.fields), groups=(groups.user(user.id), groups.company_name(user.company.id))
        )

    async def create(self, call: Call[NoQuery, NewUser]) -> Result:
        """Create a user."""
        user = await self.users.add(call.caller, call.body)
        stale = (groups.company_staff(user.company.id),)
        return Result(user, invalidates=stale, status=201, headers={"Location": f"{_PATH}/{user.id}"})

    async def change(self, call: Call[NoQuery, UserChange | NewUser]) -> Result:
        """Change or replace a user."""
        changed = await self.users.change(call.caller, call.id, call.body)
        return Result(changed.user, invalidates=changed.stale)

    async def delete(self, call: Call[NoQuery, NoBody]) -> Result:
        """Delete a user."""
        company_id = await self.users.remove(call.caller, call.id)
        stale = (
            groups.user(call.id),
            groups.user_name(call.id),
            groups.company_staff(company_id),
            groups.company_history(company_id),
        )
        return Result(Deleted(call.id), invalidates=stale)

    async def runs(self, call: Call[NoQuery, NoBody]) -> Result:
        """Read a user's workflow runs."""
        runs = await self.users.runs(call.caller, call.id)
        return Result(runs, groups=(groups.user_name(call.id), groups.user_runs(call.id), groups.WORKFLOWS))

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        return (
            Route(
                method="GET",
                path=_PATH,
                summary="List users",
                handler=self.list,
                advice=_LIST,
                data=Page[UserItem],
                query=UserListQuery,
            ),
            Route(
                method="POST",
                path=_PATH,
                summary="Create a user",
                handler=self.create,
                data=UserDetail,
                body=NewUser,
                status=201,
            ),
            Route(
                method="GET",
                path=_ONE,
                summary="Read a user",
                handler=self.get,
                advice=_DETAIL,
                data=sparse_type(UserDetail),
                query=DetailQuery,
            ),
            Route(
                method="PUT",
                path=_ONE,
                summary="Replace a user",
                handler=self.change,
                data=UserDetail,
                body=NewUser,
            ),
            Route(
                method="PATCH",
                path=_ONE,
                summary="Change a user",
                handler=self.change,
                data=UserDetail,
                body=UserChange,
            ),
            Route(method="DELETE", path=_ONE, summary="Delete a user", handler=self.delete, data=Deleted),
            Route(
                method="GET",
                path=_ONE + "/history",
                summary="Read a user's workflow runs",
                handler=self.runs,
                advice=_DETAIL,
                data=list[RunItem],
            ),
        )
