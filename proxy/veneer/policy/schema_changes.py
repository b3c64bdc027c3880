"""The shape of `changes:` in policies.yaml: databases and streams that tell what was changed without the proxy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, StringConstraints

from veneer.policy import spelling
from veneer.policy.shape import Duration, Name, OneOrMore, Shape, Text, option, required

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


class TableShape(Shape):
    """What changes of a table's rows invalidate. A list alone stands for its `tags`."""

    tags: list[Annotated[ChangeTagShape, BeforeValidator(_tag_alone)]] = required(
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
    tables: dict[TableName, Annotated[TableShape, BeforeValidator(_tags_alone)]] = required(
        'Tables, as `users` or `hr.users` (`public` when absent), and their tags, as in `users: ["user:{id}", users]`.',
        min_length=1,
        max_length=500,
    )


ChangesShape = dict[Name, SourceShape]
