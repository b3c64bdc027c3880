"""The shape of `changes:` in policies.yaml: databases and streams that tell what was changed without the proxy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from veneer.policy import spelling
from veneer.policy.shape import Duration, Name, OneOrMore, Shape, Text, option, required, standing_alone

ColumnName = Annotated[str, StringConstraints(pattern=spelling.COLUMN_NAME)]
TableName = Annotated[str, StringConstraints(pattern=spelling.TABLE_NAME)]
SlotName = Annotated[str, StringConstraints(pattern=spelling.SLOT_NAME)]


class PostgresShape(Shape):
    """PostgreSQL from 14 on, with `wal_level = logical`, read by logical replication.

    `veneer changes setup` prints the SQL that makes the publication, the slot and a user with the least rights.
    """

    dsn: Text = required(
        'Where it is, as in `"postgresql://veneer:${DB_PASSWORD}@db/etter"`, or `{file: ...}` for all of it. The '
        "database itself and no replica or pooler; a user with `REPLICATION`.",
    )
    slot: SlotName = option(
        "veneer",
        "The replication slot; it is made where the database lacks it. All nodes and workers share it.",
        "A slot that nobody reads keeps the database's log until its disk is full: drop it with the source, and set "
        "`max_slot_wal_keep_size` there.",
    )
    publication: SlotName = option("veneer", "The publication that has the tables.")


class ChangeTagShape(Shape):
    """A tag that a change of a row names. A text alone stands for its `tag`."""

    tag: Text = required(
        'As in `"user:{id}"`: `{column}` is the row\'s value, before and after the change; a NULL gives no tag. It may '
        "end in `:*`, for the tag and all below it. Where the database does not tell a column, or too many rows have "
        "changed, it is what stands up to the last colon before the first column, and all below: `user:*`."
    )
    changed: list[ColumnName] = option(
        [],
        "An UPDATE counts only if it changes one of these. Their old values have to be told (`REPLICA IDENTITY FULL`, "
        "or an index that has them).",
        max_length=64,
    )


def _tag_alone(value: object) -> object:
    return {"tag": value} if isinstance(value, str) else value


class DebeziumShape(Shape):
    """Debezium's change events in JSON, in one Redis stream, as Debezium Server's `redis` sink writes them.

    All topics have to be put into the one stream, by its name, in the order of commits: docs/debezium.md shows how.
    """

    key: Text = required("The key of the stream.")
    redis: Text | None = option(None, "The Redis that has it, as in `stores.redis.url`; without it the shared store's.")
    old_rows: Literal["key", "full"] = option(
        "key",
        "What is believed of a row as it was, where the database tells as much as its tables say (PostgreSQL): the "
        "columns of its key, or `full` where every table has `REPLICA IDENTITY FULL`.",
        "With `full` on a table that has it not, what the row belonged to before stays stored.",
    )


class TagStreamShape(Shape):
    """Events of your own in a Redis stream: an entry's only field holds `{"tags": [...]}`, or it has a field `tags`.

    `as_of_ms` beside `tags` says, in milliseconds since 1970, that all committed before that moment came before.
    """

    key: Text = required("The key of the stream.")
    redis: Text | None = option(None, "The Redis that has it, as in `stores.redis.url`; without it the shared store's.")
    tags: Annotated[list[Text], OneOrMore] = option(
        ["*"],
        'What names all that its events may name, as in `"job:*"`: invalidated where one was missed or cannot be read.',
        "What events name beside it stays stored when one of them is missed.",
        min_length=1,
        max_length=32,
    )


class PostedShape(Shape):
    """Events that are sent to `POST /changes/events/NAME` of the admin listener, and answered once all nodes know.

    With `tables` they are Debezium's, otherwise plain ones. As nobody can tell when one is missing, routes cannot name
    such a source.
    """

    old_rows: Literal["key", "full"] = option(
        "key",
        "What is believed of a row as it was: the columns of its key, or all of them (`REPLICA IDENTITY FULL`).",
        "With `full` on a table that has it not, what the row belonged to before stays stored.",
    )
    tags: Annotated[list[Text], OneOrMore] = option(
        ["*"],
        "What names all that plain events may name: invalidated where an event leaves open what was changed.",
        min_length=1,
        max_length=32,
    )


class TableShape(Shape):
    """What changes of a table's rows invalidate. A list alone stands for its `tags`."""

    tags: list[Annotated[ChangeTagShape, standing_alone("text", _tag_alone)]] = required(
        'Tags, as in `["user:{id}", users, {tag: "team:{team_id}", changed: [name]}]`.', min_length=1, max_length=32
    )
    ignore: list[ColumnName] = option(
        [],
        "An UPDATE that changes only these columns is none. Its old row has to be told (`REPLICA IDENTITY FULL`).",
        max_length=64,
    )
    when: dict[ColumnName, Annotated[list[Text], OneOrMore]] = option(
        {},
        "Only rows with one of these values count, as in `{status: [published]}`: those that have it, before or after.",
        "A change of other rows is not told to any response, whatever it shows.",
        max_length=16,
    )


def _tags_alone(value: object) -> object:
    return {"tags": value} if isinstance(value, list) else value


class SourceShape(Shape):
    """One source of changes. What the backend has read before a commit is then served nowhere `max_lag` after it.

    One node at a time reads it. Every response with a named tag that was fetched before is dead, whatever its route; a
    route that names the source (`cache.changes`) also stops answering from the store while it is late or lost.
    """

    enabled: bool = option(
        True,
        "`false` follows nothing, and routes that name the source live as if they did not: for one policy with and "
        "without its database, as in `enabled: ${FOLLOW_DB:-false}`.",
    )
    postgres: PostgresShape | None = option(None, "A PostgreSQL database.")
    debezium: DebeziumShape | None = option(None, "Debezium's events, of any database that it reads.")
    stream: TagStreamShape | None = option(None, "A Redis stream of events that name tags.")
    posted: PostedShape | None = option(None, "Events that are sent to the admin listener.")
    max_lag: Duration = option(
        2.0,
        "How late the source may be, measured by heartbeats all the time.",
        "A shorter one forwards requests whenever the database, Redis or the reading node takes a breath.",
        ge=1,
        le=3_600,
    )
    on_loss: Literal["forward", "stale", "ttl"] = option(
        "forward",
        "What routes that name the source do while it is later than that: ask the backend, serve what is stored and "
        "mark it, or go by lifetimes as without a source.",
        "`stale` and `ttl` serve what may have been changed.",
    )
    tables: dict[TableName, Annotated[TableShape, standing_alone("list", _tags_alone)]] = option(
        {},
        'Tables, as `users` or `hr.users` (`public` when absent), and their tags, as in `users: ["user:{id}", users]`. '
        "Where a database has no schemas its name stands for one: `shop.users`. A `stream` has none.",
        min_length=1,
        max_length=500,
    )


ChangesShape = dict[Name, SourceShape]
