"""The route that tells a caller who the token says it is."""

import datetime as dt
from dataclasses import dataclass

import msgspec

from etter.web.auth import Role
from etter.web.call import Call, NoBody, NoQuery, Result, Route


class AuthState(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of a valid token, and whether its user administers the company."""

    valid: bool
    user_id: int
    company_id: int
    role: Role
    expires_at: dt.datetime
    is_admin: bool


@dataclass(frozen=True, slots=True)
class AuthRoutes:
    """A token that does not hold never gets as far as this handler: it is a 401."""

    async def check(self, call: Call[NoQuery, NoBody]) -> Result:
        """Answer with the caller's claims."""
        caller = call.caller
        return Result(
            AuthState(
                valid=True,
                user_id=caller.user_id,
                company_id=caller.company_id,
                role=caller.role,
                expires_at=caller.expires_at,
                is_admin=caller.is_admin,
            )
        )

    def table(self) -> tuple[Route, ...]:
        """Declare the route."""
        return (
            Route(
                method="POST",
                path="/api/etter/auth/check_auth",
                summary="Check the token",
                handler=self.check,
                data=AuthState,
            ),
        )
