"""Users on the wire."""

import datetime as dt
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from etter.web.fields import Email, Id, Name, Search, Text
from etter.web.pagination import ListQuery

UserSort = Literal["id", "-id", "name", "-name", "created_at", "-created_at"]


def _lower_email(struct: msgspec.Struct, email: str | UnsetType | None) -> None:
    if isinstance(email, str):
        msgspec.structs.force_setattr(struct, "email", email.lower())


class UserListQuery(ListQuery, frozen=True, kw_only=True):
    """Filters and order of the user list."""

    q: Search | None = None
    email: Email | None = None
    is_active: bool | None = None
    company_id: Id | None = None
    sort: UserSort = "id"

    def __post_init__(self) -> None:
        """Compare addresses in the form in which they are kept."""
        _lower_email(self, self.email)


class UserItem(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a list; fields that were not asked for are absent."""

    id: int | UnsetType = UNSET
    company_id: int | UnsetType = UNSET
    email: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET
    roles: list[str] | UnsetType = UNSET
    created_at: dt.datetime | UnsetType = UNSET
    updated_at: dt.datetime | UnsetType = UNSET


class Named(msgspec.Struct, frozen=True):
    """A reference to something that has a name."""

    id: int
    name: str


class UserDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One user with company, roles and teams."""

    id: int
    email: str
    name: str
    title: str
    bio: str
    is_active: bool
    is_admin: bool
    company: Named
    roles: list[Named]
    teams: list[Named]
    created_at: dt.datetime
    updated_at: dt.datetime


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user to create, or to replace one with (PUT)."""

    email: Email
    name: Name
    title: Name
    bio: Text = ""
    is_active: bool = True

    def __post_init__(self) -> None:
        """Keep addresses in lower case."""
        _lower_email(self, self.email)


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change (PATCH). `is_admin`: may hire, dismiss and change colleagues, and rename the company."""

    email: Email | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    title: Name | UnsetType = UNSET
    bio: Text | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Keep addresses in lower case."""
        _lower_email(self, self.email)


class RunItem(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a workflow by a user."""

    id: int
    user: Named
    workflow: Named
    status: str
    started_at: dt.datetime
    finished_at: dt.datetime | None


class Deleted(msgspec.Struct, frozen=True):
    """What a deletion removed."""

    id: int
