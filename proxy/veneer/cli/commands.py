"""All commands as one table: what each is for, its flags, and what runs it, which is imported once it is named."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, NamedTuple, cast

from veneer.cli import flags
from veneer.main.options import add_serve_flags, environment

Run = Callable[[argparse.Namespace, Mapping[str, str]], int]
"""What a command does with its arguments and the environment; returns the exit status."""


class Command(NamedTuple):
    """One command. `run` is module:function below `veneer`, which is a `Run`."""

    name: str
    what: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: str


def _with_environment(
    add: Callable[[argparse.ArgumentParser, Mapping[str, str]], None],
) -> Callable[[argparse.ArgumentParser], None]:
    return lambda parser: add(parser, environment())


COMMANDS: Final = (
    Command("serve", "run the proxy", _with_environment(add_serve_flags), "main.serve:serve_command"),
    Command(
        "check-policies", "check policy files and run their tests",
        flags.add_check_policies_flags, "cli.check_policies:check_policies",
    ),
    Command("warm", "fill a running proxy's cache", flags.add_warm_flags, "cli.warm:warm_proxy"),
    Command(
        "explain", "replay one decision without sending it",
        _with_environment(flags.add_explain_flags), "cli.explain:explain_request",
    ),
    Command("status", "how a running proxy stands", flags.add_status_flags, "cli.status:status_command"),
    Command(
        "health", "whether a running proxy and all it needs are well",
        flags.add_health_flags, "cli.status:health_command",
    ),
    Command("routes", "the routes of a running proxy, in order", flags.add_status_flags, "cli.status:routes_command"),
    Command(
        "config", "the values that a running proxy goes by, and who said them",
        flags.add_config_flags, "cli.status:config_command",
    ),
    Command(
        "stored", "what is stored for a URL, and what a request would get",
        flags.add_stored_flags, "cli.status:stored_command",
    ),
    Command("purge", "forget stored responses, by tag or URL", flags.add_purge_flags, "cli.purging:purge_command"),
    Command("tail", "follow the access log of a running proxy", flags.add_tail_flags, "cli.tail:tail_command"),
    Command(
        "top", "requests, hits and latencies by route, as they are now", flags.add_top_flags, "cli.top:top_command"
    ),
    Command(
        "schema", "print the JSON Schema of policies.yaml, for editors",
        flags.add_schema_flags, "cli.schema:schema_command",
    ),
    Command(
        "completion", "print a script by which a shell completes commands",
        flags.add_completion_flags, "cli.completion:completion_command",
    ),
    Command(
        "changes", "let a database tell its changes, and see whether it does",
        flags.add_changes_flags, "cli.changes:changes_command",
    ),
)  # fmt: skip


def loaded(name: str) -> Run:
    """What runs a command of the table.

    What an import makes stays as long as the process: while it lasts the cycle collector, which would go through all of
    it again and again for nothing, does not run. That is a tenth of a start.
    """
    module, _, function = {command.name: command.run for command in COMMANDS}[name].partition(":")
    collects = gc.isenabled()
    gc.disable()
    try:
        return cast("Run", getattr(import_module(f"veneer.{module}"), function))
    finally:
        if collects:
            gc.enable()


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Declare all commands and their flags."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_flags(commands.add_parser(command.name, help=command.what))
