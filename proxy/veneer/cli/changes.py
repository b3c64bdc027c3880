"""`veneer changes`: what a database needs to tell its changes, whether it does, and waiting until they hold."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from veneer.changes.opening import NO_DRIVER
from veneer.cli.changes_wait import wait_for_changes
from veneer.core.row_changes import TableRules
from veneer.policy.load import load_policy
from veneer.policy.model_changes import PostgresRules
from veneer.policy.problems import PolicyError
from veneer.policy.settings import read_environment
from veneer.ports import SourceError

FINE, WRONG = 0, 1


class Chosen(NamedTuple):
    """A source that is a PostgreSQL."""

    name: str
    settings: PostgresRules
    tables: tuple[TableRules, ...]


def changes_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0 when all is right, was carried out, or holds everywhere."""
    if arguments.what == "wait":
        return wait_for_changes(arguments)
    if arguments.what == "setup" and arguments.run and arguments.admin_dsn is None:
        sys.stderr.write("--run needs --admin-dsn: the DSN of a role that may change the database\n")
        return WRONG
    try:
        sources = tuple(_chosen(arguments, environment))
    except (PolicyError, SourceError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    if arguments.what == "status":
        told = [asyncio.run(_status(source)) for source in sources]
        _say(told, as_json=arguments.json)
        return FINE if all(one["right"] for one in told) else WRONG
    return max((_set_up(source, arguments) for source in sources), default=FINE)


def _chosen(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Iterator[Chosen]:
    policy = load_policy(arguments.file, read_environment(environment))
    known = [one.name for one in policy.changes]
    if arguments.source is not None and arguments.source not in known:
        msg = f'{arguments.file}: there is no source "{arguments.source}"; there is {", ".join(known) or "none"}'
        raise SourceError(msg)
    if not known:
        msg = f"{arguments.file}: no source of changes is named; write `changes`"
        raise SourceError(msg)
    for one in policy.changes:
        if arguments.source in {None, one.name}:
            if isinstance(one.kind, PostgresRules):
                yield Chosen(one.name, one.kind, one.tables)
            elif arguments.source is not None:
                msg = f'the source "{one.name}" is no PostgreSQL, and needs no SQL'
                raise SourceError(msg)


async def _status(source: Chosen) -> dict[str, object]:
    """What is said of one source."""
    try:
        from veneer.changes.postgres.source import PostgresSource  # noqa: PLC0415 - psycopg2 is an extra
    except ModuleNotFoundError:
        return {"source": source.name, "right": False, "error": NO_DRIVER}
    database = PostgresSource(*source)
    try:
        found, slot = await database.inspect(), await database.slot()
    except SourceError as error:
        return {"source": source.name, "right": False, "error": str(error)}
    told: dict[str, object] = {"source": source.name, "right": all(one.warning for one in found)}
    told["problems"] = [
        {"problem": one.problem.value, "message": one.message, "warning": one.warning, "sql": one.sql} for one in found
    ]
    told["slot"] = None
    if slot is not None:
        told["slot"] = {
            "name": source.settings.slot,
            "read_by_pid": slot.active_pid,
            "wal_status": slot.wal_status,
            "confirmed_lsn": slot.confirmed_lsn,
            "kept_bytes": slot.kept_bytes,
        }
    return told


def _say(told: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    for one in told:
        sys.stdout.write(f"{one['source']}: {'right' if one['right'] else 'cannot be followed'}\n")
        if "error" in one:
            sys.stdout.write(f"  {one['error']}\n")
        slot, problems = one.get("slot"), one.get("problems", [])
        if isinstance(slot, dict):
            reader = f"read by PID {slot['read_by_pid']}" if slot["read_by_pid"] else "read by nobody"
            kept_mb = slot["kept_bytes"] / 1e6
            confirmed = f"confirmed up to {slot['confirmed_lsn']}, {kept_mb:.1f} MB of the log kept for it"
            sys.stdout.write(f"  slot {slot['name']}: {reader}, {slot['wal_status']}, {confirmed}\n")
        for problem in problems if isinstance(problems, list) else []:
            sys.stdout.write(f"  {'warning' if problem['warning'] else 'wrong'}: {problem['message']}\n")
            sys.stdout.writelines(f"    {statement};\n" for statement in problem["sql"])


def _set_up(source: Chosen, arguments: argparse.Namespace) -> int:
    """Print the statements of one source, or carry them out."""
    try:
        from veneer.changes.postgres.setup import needed_sql, set_up, setup_sql  # noqa: PLC0415 - psycopg2 is an extra
    except ModuleNotFoundError:
        sys.stderr.write(f"{NO_DRIVER}\n")
        return WRONG
    done: list[str] = []

    async def carry_out() -> None:
        async for statement in set_up(source.settings, source.tables, arguments.admin_dsn):
            done.append(statement)

    failed: SourceError | None = None
    try:
        if arguments.run:
            asyncio.run(carry_out())
        elif arguments.admin_dsn is not None:
            done += asyncio.run(needed_sql(source.settings, source.tables, arguments.admin_dsn))
        else:
            done += setup_sql(source.settings, source.tables)
    except SourceError as error:
        failed = error
    if arguments.json:
        told = {"source": source.name, "sql": done, "done": arguments.run, "error": str(failed) if failed else None}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        sys.stdout.write(f"-- {source.name}\n")
        sys.stdout.writelines(f"{statement};\n" for statement in done)
    if failed is not None:
        at = f"\nat: {failed.sql[0]};" if failed.sql else ""
        sys.stderr.write(f"{source.name}: {failed}{at}\n")
        return WRONG
    return FINE
