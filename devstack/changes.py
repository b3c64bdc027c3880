"""The database of a run tells the proxy its changes, as policies.yaml asks for where it is switched on."""

from __future__ import annotations

from urllib.parse import urlsplit

from devstack.backend import Step
from devstack.proxy import SHIPPED_POLICIES

READER = "veneer"
"""The role that reads the changes: it may do nothing else."""


def changes_environment(database_url: str) -> dict[str, str]:
    """What switches the source of the shipped policy on."""
    place = urlsplit(database_url)
    dsn = place._replace(netloc=f"{READER}@{place.hostname}:{place.port}").geturl()
    return {"ETTER_CHANGES": "true", "ETTER_CHANGES_DSN": dsn}


def telling(database_url: str) -> Step:
    """What makes role, publication, slot and old rows, as an administrator; safe to repeat."""
    arguments = ("veneer", "changes", "setup", str(SHIPPED_POLICIES), "--admin-dsn", database_url, "--run")
    return Step("changes", arguments, changes_environment(database_url))
