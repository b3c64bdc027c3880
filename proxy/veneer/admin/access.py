"""Who may use the admin listener."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass

from veneer.core.fields import Fields
from veneer.policy.node_settings import LEAST_TOKEN_CHARS


class AdminAccessError(ValueError):
    """The admin listener must not start like this."""


def is_loopback(host: str) -> bool:
    """Whether a host, as a name or an address, without port, is this machine's loopback."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """The host of a Host field's value, without port."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]


@dataclass(slots=True)
class AdminAccess:
    """The token that requests must carry, or None on a loopback address, where being on the machine is enough.

    Another token in its place counts from the next request on.
    """

    token: str | None

    @classmethod
    def for_listener(cls, host: str, token: str | None) -> AdminAccess:
        """The rule for a listener on `host`. Raises AdminAccessError where strangers could purge."""
        if token is not None and len(token) < LEAST_TOKEN_CHARS:
            msg = f"the admin token is too short: use at least {LEAST_TOKEN_CHARS} characters"
            raise AdminAccessError(msg)
        if token is None and not is_loopback(host):
            msg = f"the admin listener on {host} needs a token: name its file as admin.token_file, or use 127.0.0.1"
            raise AdminAccessError(msg)
        return cls(token)

    def allows(self, fields: Fields) -> bool:
        """Whether a request with these fields may go on.

        Without a token the Host must be loopback: a web page in a browser on this machine can make any name of its own
        point here, but then it sends that name.
        """
        if self.token is None:
            return is_loopback(host_of(fields.get("host") or ""))
        scheme, _, given = (fields.get("authorization") or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode())
