"""`veneer completion bash|zsh|fish`: a script by which a shell completes commands and flags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

import shtab

from veneer.cli.main import build_parser


def completion_command(arguments: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    """0 once the script for all commands is printed."""
    sys.stdout.write(shtab.complete(build_parser(), shell=arguments.shell) + "\n")
    return 0
