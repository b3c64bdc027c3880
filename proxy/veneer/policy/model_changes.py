"""Sources of changes that do not pass through this proxy, as the policy says it, and what routes make of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from hashlib import blake2b

from veneer.core.row_changes import TableRules


class SourceLoss(Enum):
    """What a route does while a source that it names is late or lost."""

    FORWARD = "forward"  # nothing stored is answered from
    STALE = "stale"  # what is stored is served, marked
    TTL = "ttl"  # what is stored lives as long as its lifetime says


@dataclass(frozen=True, slots=True)
class SourceBound:
    """How late a source, named by its key, may be for a route that names it, and what follows where it is later."""

    source: str
    max_lag_s: float
    on_loss: SourceLoss


@dataclass(frozen=True, slots=True)
class PostgresRules:
    """A PostgreSQL that is read through a replication slot. `dsn` may hold a password: it is not shown."""

    dsn: str = field(repr=False)
    slot: str = "veneer"
    publication: str = "veneer"


@dataclass(frozen=True, slots=True)
class DebeziumRules:
    """Debezium's events in the Redis stream `key`; without a URL in the Redis that all nodes share.

    With `full_old_rows` every table is held to tell whole old rows (core.debezium).
    """

    key: str
    redis_url: str | None = field(default=None, repr=False)
    full_old_rows: bool = False


@dataclass(frozen=True, slots=True)
class TagStreamRules:
    """Plain events (core.tag_events) in the Redis stream `key`. `everything` names all that they may name."""

    key: str
    redis_url: str | None = field(default=None, repr=False)
    everything: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class PostedRules:
    """Events that are posted to the admin listener: Debezium's where there are tables, otherwise plain ones."""

    full_old_rows: bool = False
    everything: tuple[str, ...] = ("*",)


SourceKind = PostgresRules | DebeziumRules | TagStreamRules | PostedRules


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """One source: where it is, and which tags its tables' rows have."""

    name: str
    kind: SourceKind
    tables: tuple[TableRules, ...]
    max_lag_s: float = 2.0
    on_loss: SourceLoss = SourceLoss.FORWARD

    @property
    def is_posted(self) -> bool:
        """Whether others bring its events, so that nobody follows it."""
        return isinstance(self.kind, PostedRules)

    @property
    def key(self) -> str:
        """How the log knows it, with a digest of what decides what it tells.

        What was told under other settings says nothing about these.
        """
        said = repr((_said(self.kind), _said(self.tables))).encode()
        return f"{self.name}@{blake2b(said, digest_size=6).hexdigest()}"

    @property
    def bound(self) -> SourceBound:
        """What a route that names it has to know."""
        return SourceBound(self.key, self.max_lag_s, self.on_loss)


def _said(value: object) -> object:
    """What is the same in every process for equal settings; without what is not to be shown."""
    if is_dataclass(value) and not isinstance(value, type):
        return [(one.name, _said(getattr(value, one.name))) for one in fields(value) if one.repr]
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    return [_said(one) for one in value] if isinstance(value, tuple) else value
