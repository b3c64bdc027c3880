"""Workflows on the wire."""

import datetime as dt
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from etter.models.users import RunItem
from etter.web.fields import Name, Search, Text
from etter.web.pagination import ListQuery

RunStatus = Literal["planned", "running", "done", "failed"]


class WorkflowListQuery(ListQuery, frozen=True, kw_only=True):
    """Filters and order of the workflow list."""

    q: Search | None = None
    function: Search | None = None
    status: Literal["draft", "active", "retired"] | None = None
    sort: Literal["id", "-id", "name", "-name"] = "id"


class WorkflowItem(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow in a list; its description is cut."""

    id: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    function: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    updated_at: dt.datetime | UnsetType = UNSET


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step; `automation` is the share a machine could do, 0 to 1."""

    position: int
    name: str
    task: str
    minutes: int
    automation: float


class WorkflowDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow with its steps and the latest runs in the caller's company."""

    id: int
    name: str
    description: str
    function: str
    status: str
    steps: list[Step]
    history: list[RunItem]
    created_at: dt.datetime
    updated_at: dt.datetime


class WorkflowChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    status: Literal["draft", "active", "retired"] | UnsetType = UNSET


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run to record for the caller."""

    status: RunStatus = "planned"
