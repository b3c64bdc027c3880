"""Typed errors of the API. One handler turns each into its status and body (see web.middleware)."""

from collections.abc import Mapping
from typing import ClassVar

JsonScalar = str | int | float | bool | None


class EtterError(Exception):
    """An error with a status, a code for machines, a message for people, and facts about it."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, **metadata: JsonScalar) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, JsonScalar] = metadata

    @property
    def headers(self) -> Mapping[str, str]:
        """Response fields that belong to this error."""
        return {}


class ValidationError(EtterError):
    """The input is wrong; metadata names the field."""

    status = 400
    code = "VALIDATION_ERROR"


class AuthenticationError(EtterError):
    """No token, or one that does not hold (RFC 6750 section 3)."""

    status = 401
    code = "AUTHENTICATION_ERROR"

    @property
    def headers(self) -> Mapping[str, str]:
        """Ask for a bearer token."""
        return {"WWW-Authenticate": 'Bearer realm="etter"'}


class PermissionDeniedError(EtterError):
    """The caller is known and may not do this."""

    status = 403
    code = "PERMISSION_DENIED"


class NotFoundError(EtterError):
    """There is no such thing, or the caller's company may not see it."""

    status = 404
    code = "NOT_FOUND"


class ConflictError(EtterError):
    """The change contradicts what is stored."""

    status = 409
    code = "CONFLICT"


class DatabaseError(EtterError):
    """The database refused a statement; details are in the log only."""

    status = 500
    code = "DATABASE_ERROR"


class ExternalServiceError(EtterError):
    """No external service gave an answer."""

    status = 502
    code = "EXTERNAL_SERVICE_ERROR"


class UnavailableError(EtterError):
    """The request could be served a little later."""

    status = 503
    code = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> Mapping[str, str]:
        """When to come again (RFC 9110 section 10.2.3)."""
        return {"Retry-After": str(self.retry_after_seconds)}


class DatabaseTimeoutError(EtterError):
    """A statement ran into the statement timeout."""

    status = 504
    code = "DATABASE_TIMEOUT"
