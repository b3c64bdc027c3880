"""Whether the user of a token still works for the company: a token says what was true when it was signed."""

import dataclasses
import datetime as dt
from collections import OrderedDict

from etter.errors import AuthenticationError, PermissionDeniedError
from etter.queries.users import Standing, user_standing
from etter.services.base import Tools
from etter.web.auth import Caller

MAX_REMEMBERED = 10_000


class StandingService:
    """Admits callers. What it found is remembered for reads, `seconds` long; writes ask each time."""

    def __init__(self, tools: Tools, seconds: float) -> None:
        self._tools = tools
        self._lasts = dt.timedelta(seconds=seconds)
        self._remembered: OrderedDict[int, tuple[dt.datetime, Standing]] = OrderedDict()

    async def admit(self, caller: Caller, *, writes: bool) -> Caller:
        """Return the caller with what the company lets them do. Raises AuthenticationError for who is there no more."""
        standing = None if writes else self._recall(caller.user_id)
        if standing is None:
            standing = await self._tools.database.read(lambda session: user_standing(session, caller.user_id))
            if standing is not None:
                self._remember(caller.user_id, standing)
        if standing is None:
            if caller.role == "platform":  # Etter's own people need not be anybody's staff
                return caller
            raise AuthenticationError("The token's user does not exist any more")
        if not standing.is_active:
            raise AuthenticationError("The token's user is not active any more")
        if caller.role != "platform" and standing.company_id != caller.company_id:
            raise AuthenticationError("The token's user does not work for the company any more")
        return dataclasses.replace(caller, is_admin=standing.is_admin)

    def forget(self, user_id: int) -> None:
        """Ask again for this user: something was changed."""
        self._remembered.pop(user_id, None)

    def _recall(self, user_id: int) -> Standing | None:
        found = self._remembered.get(user_id)
        if found is None:
            return None
        since, standing = found
        # A clock that was set back makes nobody's standing last longer.
        return standing if dt.timedelta() <= self._tools.clock() - since < self._lasts else None

    def _remember(self, user_id: int, standing: Standing) -> None:
        self._remembered[user_id] = (self._tools.clock(), standing)
        self._remembered.move_to_end(user_id)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)


def require_admin(caller: Caller, what: str) -> None:
    """Raise PermissionDeniedError for who administers neither this company nor all of them."""
    if not caller.may_administer:
        msg = f"Only those who administer the company may {what}"
        raise PermissionDeniedError(msg)
