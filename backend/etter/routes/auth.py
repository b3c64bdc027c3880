"""The route that tells a caller who the token says it is."""

import datetime as dt
from dataclasses import dataclass

import msgspec

from etter.web.auth import Role, issue_pass
from etter.web.call import Call, NoBody, NoQuery, Result, Route
from etter.web.serve import Gate


class AuthState(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of a valid token, and the company's pass for shared caches."""

    valid: bool
    user_id: int
    company_id: int
    role: Role
    expires_at: dt.datetime
    company_pass: str
    company_pass_expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class AuthRoutes:
    """A token that does not hold never gets as far as this handler: it is a 401."""

    gate: Gate

    async def check(self, call: Call[NoQuery, NoBody]) -> Result:
        """Answer with the caller's claims."""
        caller = call.caller
        company_pass = issue_pass(self.gate.secret, caller.company_id, self.gate.clock())
        return Result(
            AuthState(
                valid=True,
                user_id=caller.user_id,
                company_id=caller.company_id,
                role=caller.role,
                expires_at=caller.expires_at,
                company_pass=company_pass.text,
                company_pass_expires_at=company_pass.expires_at,
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
