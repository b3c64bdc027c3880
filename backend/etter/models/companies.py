"""Companies on the wire."""

import datetime as dt
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from etter.web.fields import Name, Search
from etter.web.pagination import ListQuery


class CompanyListQuery(ListQuery, frozen=True, kw_only=True):
    """Filters and order of the master list."""

    q: Search | None = None
    industry: Search | None = None
    sort: Literal["id", "-id", "name", "-name"] = "name"


class CompanyItem(msgspec.Struct, frozen=True, kw_only=True):
    """A company in the master list."""

    id: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    industry: str | UnsetType = UNSET
    country: str | UnsetType = UNSET


class TeamSize(msgspec.Struct, frozen=True):
    """A team and how many people are in it."""

    id: int
    name: str
    members: int


class CompanyDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One company with its teams and its number of people."""

    id: int
    name: str
    industry: str
    country: str
    users: int
    active_users: int
    teams: list[TeamSize]
    created_at: dt.datetime
    updated_at: dt.datetime


class CompanyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change."""

    name: Name | UnsetType = UNSET
    industry: Name | UnsetType = UNSET
    country: Name | UnsetType = UNSET
