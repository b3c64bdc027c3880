"""Runs a client program to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class ClientError(AssertionError):
    """A client program ended with another exit code than 0; the text holds what it said."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a client: none of the machine's own forward proxies stand in its way to 127.0.0.1."""
    return {**{name: value for name, value in os.environ.items() if name not in PROXIES}, **(more or {})}


def run(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout_s: float = 100
) -> str:
    """Run a program and return what it wrote to its output. Raise ClientError when it fails."""
    done = subprocess.run(
        list(argv), cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        raise ClientError(f"{argv[0]} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def exit_code(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> int:
    """Run a program and return its exit code; the output of the test holds what one that failed has said."""
    done = subprocess.run(
        list(argv), cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=100, check=False
    )
    if done.returncode:
        sys.stdout.write(f"{argv[0]} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n")
    return done.returncode
