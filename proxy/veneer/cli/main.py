"""The command line: `veneer serve`, and the commands around it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from veneer.cli.changes import add_changes_flags, changes_command
from veneer.cli.check_policies import add_check_policies_flags, check_policies
from veneer.cli.completion import add_completion_flags, completion_command
from veneer.cli.explain import add_explain_flags, explain_request
from veneer.cli.purging import add_purge_flags, purge_command
from veneer.cli.schema import add_schema_flags, schema_command
from veneer.cli.status import (
    add_config_flags,
    add_health_flags,
    add_status_flags,
    add_stored_flags,
    config_command,
    health_command,
    routes_command,
    status_command,
    stored_command,
)
from veneer.cli.tail import add_tail_flags, tail_command
from veneer.cli.top import add_top_flags, top_command
from veneer.cli.warm import add_warm_flags, warm_proxy
from veneer.compiling.form import BuildKind, StaleFormError, running_form
from veneer.main.options import add_serve_flags, environment, options_from
from veneer.version import running_version

_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Mapping[str, str]], int]] = {
    "check-policies": check_policies,
    "explain": explain_request,
    "changes": changes_command,
    "status": status_command,
    "health": health_command,
    "routes": routes_command,
    "config": config_command,
    "stored": stored_command,
    "purge": purge_command,
    "tail": tail_command,
    "top": top_command,
    "schema": schema_command,
}


def build_parser(running: BuildKind = BuildKind.INTERPRETED) -> argparse.ArgumentParser:
    """All commands and flags."""
    parser = argparse.ArgumentParser(prog="veneer", description="A caching sidecar in front of your HTTP service.")
    parser.add_argument("--version", action="version", version=f"veneer {running_version()} ({running.value})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_serve_flags(commands.add_parser("serve", help="run the proxy"), environment())
    add_check_policies_flags(commands.add_parser("check-policies", help="check policy files and run their tests"))
    add_warm_flags(commands.add_parser("warm", help="fill a running proxy's cache"))
    add_explain_flags(commands.add_parser("explain", help="replay one decision without sending it"), environment())
    add_status_flags(commands.add_parser("status", help="how a running proxy stands"))
    add_health_flags(commands.add_parser("health", help="whether a running proxy and all it needs are well"))
    add_status_flags(commands.add_parser("routes", help="the routes of a running proxy, in order"))
    add_config_flags(commands.add_parser("config", help="the values that a running proxy goes by, and who said them"))
    add_stored_flags(commands.add_parser("stored", help="what is stored for a URL, and what a request would get"))
    add_purge_flags(commands.add_parser("purge", help="forget stored responses, by tag or URL"))
    add_tail_flags(commands.add_parser("tail", help="follow the access log of a running proxy"))
    add_top_flags(commands.add_parser("top", help="requests, hits and latencies by route, as they are now"))
    add_schema_flags(commands.add_parser("schema", help="print the JSON Schema of policies.yaml, for editors"))
    add_completion_flags(commands.add_parser("completion", help="print a script by which a shell completes commands"))
    add_changes_flags(commands.add_parser("changes", help="let a database tell its changes, and see whether it does"))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named on the command line; returns the exit status."""
    try:
        running = running_form()
    except StaleFormError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    parser = build_parser(running)
    arguments = parser.parse_args(argv)
    match arguments.command:
        case "serve":
            from veneer.main.serve import serve  # noqa: PLC0415 - the server's imports are slow, other commands are not

            return serve(options_from(arguments))
        case "warm":
            return warm_proxy(arguments)
        case "completion":
            return completion_command(arguments.shell, parser)
        case command if command in _COMMANDS:
            return _COMMANDS[command](arguments, environment())
        case _:
            sys.stderr.write(f"unknown command {arguments.command}\n")
            return 2
