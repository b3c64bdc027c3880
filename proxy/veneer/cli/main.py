"""The command line: `veneer serve`, `veneer check-policies`, `veneer warm`, `veneer explain`, `veneer changes`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from veneer.cli.changes import add_changes_flags, changes_command
from veneer.cli.check_policies import add_check_policies_flags, check_policies
from veneer.cli.explain import add_explain_flags, explain_request
from veneer.cli.warm import add_warm_flags, warm_proxy
from veneer.compiling.form import BuildKind, StaleFormError, form
from veneer.main.options import add_serve_flags, environment, options_from
from veneer.version import running_version


def build_parser(running: BuildKind = BuildKind.INTERPRETED) -> argparse.ArgumentParser:
    """All commands and flags."""
    parser = argparse.ArgumentParser(prog="veneer", description="A caching sidecar in front of your HTTP service.")
    parser.add_argument("--version", action="version", version=f"veneer {running_version()} ({running.value})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_serve_flags(commands.add_parser("serve", help="run the proxy"), environment())
    add_check_policies_flags(commands.add_parser("check-policies", help="check policy files and run their tests"))
    add_warm_flags(commands.add_parser("warm", help="fill a running proxy's cache"))
    add_explain_flags(commands.add_parser("explain", help="replay one decision without sending it"), environment())
    add_changes_flags(commands.add_parser("changes", help="let a database tell its changes, and see whether it does"))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named on the command line; returns the exit status."""
    try:
        running = form()
    except StaleFormError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    arguments = build_parser(running).parse_args(argv)
    asking = {"check-policies": check_policies, "explain": explain_request, "changes": changes_command}
    match arguments.command:
        case "serve":
            from veneer.main.serve import serve  # noqa: PLC0415 - the server's imports are slow, other commands are not

            return serve(options_from(arguments))
        case "warm":
            return warm_proxy(arguments)
        case command if command in asking:
            return asking[command](arguments, environment())
        case _:
            sys.stderr.write(f"unknown command {arguments.command}\n")
            return 2
