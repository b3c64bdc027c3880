"""Users: what a company may see and change of its people."""

from dataclasses import dataclass

from msgspec import UNSET
from sqlalchemy.orm import Session
from yarl import URL

from etter import groups
from etter.db.tables import User
from etter.errors import ConflictError, PermissionDeniedError
from etter.models.reference import Suggestion
from etter.models.users import NewUser, RunItem, UserChange, UserDetail, UserItem, UserListQuery
from etter.queries import users as sql
from etter.queries.runs import runs_of_user
from etter.services.base import BaseService, Listed, Tools, assign
from etter.services.standing import StandingService, require_admin
from etter.web.auth import Caller

SUGGESTIONS = 10
RUNS = 50


@dataclass(frozen=True, slots=True)
class Facts:
    """What others' pages depend on."""

    name: str
    email: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """A user after a change, and the groups that it made stale."""

    user: UserDetail
    stale: tuple[str, ...]


class UserService(BaseService[User, UserItem]):
    """Reads and writes users within the caller's company."""

    def __init__(self, tools: Tools, standing: StandingService) -> None:
        super().__init__(tools, sql.USER_LIST, "user", User.company_id)
        self._standing = standing

    async def users(self, caller: Caller, query: UserListQuery, url: URL) -> Listed[UserItem]:
        """List users."""
        return await self.page(query, query.sort, sql.user_filters(query, caller.company_scope), url)

    async def get(self, caller: Caller, user_id: int) -> UserDetail:
        """Read one user in detail."""
        scope = caller.company_scope
        return await self.find(user_id, lambda session: sql.user_detail(session, self.tools.loading, user_id, scope))

    async def add(self, caller: Caller, new: NewUser) -> UserDetail:
        """Create a user in the caller's company."""
        require_admin(caller, "add somebody")

        def make(session: Session) -> User:
            _refuse_taken(session, new.email, None)
            user = User(company_id=caller.company_id)
            assign(user, new)
            return user

        return await self.create(make, self._reread)

    async def change(self, caller: Caller, user_id: int, change: UserChange | NewUser) -> Changed:
        """Change some fields (PATCH) or all of them (PUT): one's own, or as who administers the company."""
        before: list[Facts] = []

        def apply(session: Session, user: User) -> None:
            _refuse_unless_allowed(caller, user, change)
            if isinstance(change.email, str) and change.email != user.email:
                _refuse_taken(session, change.email, user.id)
            before.append(Facts(user.name, user.email, user.is_active))
            assign(user, change)
            user.updated_at = self.tools.clock()

        user = await self.update(user_id, caller.company_scope, apply, self._reread)
        self._standing.forget(user_id)
        return Changed(user, touched(user, before[0]))

    async def remove(self, caller: Caller, user_id: int) -> int:
        """Delete a user and return the company it belonged to."""
        require_admin(caller, "remove somebody")
        if user_id == caller.user_id:
            raise PermissionDeniedError(
                "Nobody may remove themselves: a company without anybody to administer it is stuck"
            )
        company_id = await self.delete(user_id, caller.company_scope, lambda user: user.company_id)
        self._standing.forget(user_id)
        return company_id

    async def suggestions(self, caller: Caller, text: str) -> list[Suggestion]:
        """Complete a name or an address."""
        scope = caller.company_scope
        return await self.tools.database.read(lambda session: sql.complete_user(session, text, scope, SUGGESTIONS))

    def _reread(self, session: Session, user: User) -> UserDetail:
        return self.found(user.id, sql.user_detail(session, self.tools.loading, user.id, None))

    async def runs(self, caller: Caller, user_id: int) -> list[RunItem]:
        """Read a user's latest workflow runs."""

        def work(session: Session) -> list[RunItem]:
            if not sql.user_visible(session, user_id, caller.company_scope):
                raise self.missing(user_id)
            return runs_of_user(session, self.tools.loading, user_id, caller.company_scope, RUNS)

        return await self.tools.database.read(work)


def touched(user: UserDetail, before: Facts) -> tuple[str, ...]:
    """Name the groups that a change made stale: those of what lists search, sort or count only where that changed."""
    company_id = user.company.id
    stale = [groups.user(user.id)]
    if user.name != before.name:
        stale += [groups.user_name(user.id), *groups.renamed(company_id, before.name, user.name)]
    if user.email != before.email:
        stale.append(groups.company_names(company_id))
    if user.is_active != before.is_active:
        stale.append(groups.company_staff(company_id))
    return tuple(dict.fromkeys(stale))


def _refuse_unless_allowed(caller: Caller, user: User, change: UserChange | NewUser) -> None:
    own = user.id == caller.user_id
    if not own:
        require_admin(caller, "change somebody else")
    admin = change.is_admin if isinstance(change, UserChange) else UNSET
    if (change.is_active, admin) == (UNSET, UNSET):
        return
    before, after = (user.is_active, user.is_admin), (change.is_active, admin)
    if own and any(new is not UNSET and new != old for old, new in zip(before, after, strict=True)):
        raise PermissionDeniedError("Nobody may change whether they themselves are active, or administer the company")


def _refuse_taken(session: Session, email: str, except_id: int | None) -> None:
    if sql.email_taken(session, email, except_id):
        msg = "Another user has this address"
        raise ConflictError(msg, field="email")
