"""`veneer completion bash|zsh|fish`: a script by which a shell completes commands and flags."""

from __future__ import annotations

import argparse
import sys
from typing import Final

import shtab

SHELLS: Final = ("bash", "zsh", "fish")


def add_completion_flags(parser: argparse.ArgumentParser) -> None:
    """Declare which shell."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads it")


def completion_command(shell: str, whole: argparse.ArgumentParser) -> int:
    """0 once the script for all of `whole` is printed."""
    sys.stdout.write(shtab.complete(whole, shell=shell) + "\n")
    return 0
