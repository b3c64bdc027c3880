"""From what the policy says of a source to the source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from veneer.changes.events import DebeziumEvents, EventDecoder, EventSum, TagEvents
from veneer.changes.redis_stream import RedisStreamSettings, RedisStreamSource
from veneer.core.change_tags import all_tags
from veneer.policy.model_changes import ChangeSettings, DebeziumRules, PostedRules, TagStreamRules
from veneer.ports import ChangeSource, ChangeStream, SourceError
from veneer.redis.connect import RedisUrlError, parse_redis_url
from veneer.redis.dial import dial_once
from veneer.redis.wire import RedisConnection

NO_DRIVER: Final = "PostgreSQL's driver is not installed: install veneer[postgres]"
POSTED: Final = "its events are posted, and nobody reads it"


def open_source(settings: ChangeSettings, redis_url: str | None) -> ChangeSource:
    """The source; nothing is connected yet. `redis_url` is where the nodes' shared store is, if they have one.

    One that cannot be read because of what is not installed says so then.
    """
    kind = settings.kind
    if isinstance(kind, DebeziumRules | TagStreamRules):
        return _stream(settings, kind, kind.redis_url or redis_url)
    if isinstance(kind, PostedRules):
        return UnreadableSource(settings, POSTED)
    try:
        from veneer.changes.postgres.source import PostgresSource  # noqa: PLC0415 - psycopg2 is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg2":
            raise
        return UnreadableSource(settings, NO_DRIVER)
    return PostgresSource(settings.name, kind, settings.tables)


def decoder_of(settings: ChangeSettings) -> EventDecoder:
    """What reads the events of a source."""
    kind = settings.kind
    if isinstance(kind, DebeziumRules) or (isinstance(kind, PostedRules) and settings.tables):
        return DebeziumEvents(kind.full_old_rows)
    return TagEvents()


def sum_of(settings: ChangeSettings) -> EventSum:
    """What sums its events up."""
    kind = settings.kind
    if isinstance(kind, TagStreamRules | PostedRules) and not settings.tables:
        return EventSum(everything=kind.everything)
    return EventSum(settings.tables)


def _stream(settings: ChangeSettings, kind: DebeziumRules | TagStreamRules, url: str | None) -> RedisStreamSource:
    return RedisStreamSource(
        settings.name,
        _dial(url, kind.key),
        lambda: decoder_of(settings),
        lambda: sum_of(settings),
        RedisStreamSettings(kind.key),
    )


def _dial(url: str | None, key: str) -> Callable[[], Awaitable[RedisConnection]]:
    async def dial() -> RedisConnection:
        if url is None:
            msg = f'no Redis has the stream "{key}": name one in the source, or in `stores.redis.url`'
            raise SourceError(msg, lasting=True)
        try:
            address = parse_redis_url(url)
        except RedisUrlError as error:
            raise SourceError(str(error), lasting=True) from error
        return await dial_once(address, key)

    return dial


class UnreadableSource:
    """A source that cannot be read here (veneer.ports.ChangeSource)."""

    def __init__(self, settings: ChangeSettings, why: str) -> None:
        self.name: Final = settings.name
        self.all_tags: Final = all_tags(settings.tables)
        self._why = why

    async def open(self) -> ChangeStream:
        """Raises SourceError."""
        raise SourceError(self._why, lasting=True)
