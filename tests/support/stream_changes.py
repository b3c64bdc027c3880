"""Users whose changes somebody writes into a Redis stream, as events that name tags."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import redis

from devstack.redis import RedisServer
from tests.support.change_sources import ALL_TAGS, USERS
from veneer.changes.opening import open_source
from veneer.core.change_tags import TransactionTags
from veneer.core.row_changes import ChangeKind, Row, RowChange
from veneer.policy.model_changes import ChangeSettings, TagStreamRules
from veneer.ports import AsOf, Beat, ChangeItem, ChangeSource, ChangeStream

STREAM = "users"


class UsersInStream:
    """See tests.support.change_sources.ChangingData."""

    has_beats = True

    def __init__(self, server: RedisServer, client: redis.Redis) -> None:
        self._client = client
        self._users: dict[int, int | None] = {}
        self._moments = itertools.count(1)
        self._source = open_source(ChangeSettings("main", TagStreamRules(STREAM, server.url, ALL_TAGS), ()), None)
        self._add()

    @property
    def name(self) -> str:
        """As the policy names it."""
        return self._source.name

    @property
    def all_tags(self) -> tuple[str, ...]:
        """What names everything."""
        return self._source.all_tags

    @property
    def source(self) -> ChangeSource:
        """Where they are told."""
        return self

    async def open(self) -> ChangeStream:
        """Begin to read; who sends a heartbeat to it writes a moment into the stream."""
        return _BeatenStream(self, await self._source.open())

    def tell_moment(self) -> int:
        """Say that all before has come; the moment that is said."""
        moment = next(self._moments)
        self._add(as_of_ms=moment)
        return moment

    def _add(self, *changes: RowChange, **members: object) -> None:
        """One transaction, in one event."""
        tags = TransactionTags((USERS,))
        for change in changes:
            tags.add(change)
        self._client.xadd(STREAM, {"event": json.dumps({"tags": tags.take()[0], **members})})

    async def insert(self, *users: tuple[int, int | None]) -> None:
        """As ChangingData."""
        self._users.update(users)
        self._add(*(RowChange(USERS.table, ChangeKind.INSERT, None, self._row(user)) for user, _ in users))

    async def move(self, user: int, company: int | None) -> None:
        """As ChangingData."""
        old = self._row(user)
        self._users[user] = company
        self._add(RowChange(USERS.table, ChangeKind.UPDATE, old, self._row(user)))

    async def delete(self, user: int) -> None:
        """As ChangingData."""
        self._add(RowChange(USERS.table, ChangeKind.DELETE, self._row(user), None))
        del self._users[user]

    async def truncate(self) -> None:
        """As ChangingData."""
        self._users.clear()
        self._add(RowChange(USERS.table, ChangeKind.TRUNCATE, None, None))

    def _row(self, user: int) -> Row:
        company = self._users[user]
        return {"id": str(user), "company_id": None if company is None else str(company)}


class _BeatenStream:
    """A stream without heartbeats, as one with them: moments that it was told to have come are theirs."""

    def __init__(self, data: UsersInStream, stream: ChangeStream) -> None:
        self._data, self._stream = data, stream
        self._sent: dict[int, str] = {}
        self.origin = self.kept_bytes = None
        self.confirm, self.aclose = stream.confirm, stream.aclose

    async def read(self) -> Sequence[ChangeItem]:
        return [self._named(item) for item in await self._stream.read()]

    def _named(self, item: ChangeItem) -> ChangeItem:
        if isinstance(item, AsOf) and item.unix_ms in self._sent:
            return Beat(item.position, self._sent[item.unix_ms])
        return item

    async def beat(self, content: str) -> None:
        self._sent[self._data.tell_moment()] = content


@asynccontextmanager
async def users_in_stream(server: RedisServer) -> AsyncIterator[UsersInStream]:
    """A stream of its own, in a Redis that holds nothing else."""
    server.flush()
    with server.client() as client:
        yield UsersInStream(server, client)
