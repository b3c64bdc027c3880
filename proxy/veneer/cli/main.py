"""The command line: `veneer serve`, and the commands around it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from veneer.cli.commands import add_commands, loaded
from veneer.compiling.form import StaleFormError, form
from veneer.main.options import environment


class _ShowVersion(argparse.Action):
    """Says which version runs. Only then it is looked for: that takes longer than to read all flags."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 - argparse's shape
        values: object,  # noqa: ARG002 - as above
        option_string: str | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Print it and end."""
        from veneer.version import running_version  # noqa: PLC0415 - see above

        sys.stdout.write(f"veneer {running_version()} ({form().value})\n")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """All commands and flags."""
    parser = argparse.ArgumentParser(prog="veneer", description="A caching sidecar in front of your HTTP service.")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show program's version number and exit")
    add_commands(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named on the command line; returns the exit status."""
    try:
        form()
    except StaleFormError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    parser = build_parser()
    arguments = parser.parse_args(argv)
    return loaded(arguments.command)(arguments, environment())
