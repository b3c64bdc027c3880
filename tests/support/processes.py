"""Processes of others, which may end while they are looked at."""

from __future__ import annotations

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs: it has neither ended nor is left for its parent to collect."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def is_alive_pid(pid: int) -> bool:
    """As `is_alive`, by the process' number."""
    try:
        return is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def live_children(pid: int) -> list[psutil.Process]:
    """The children of a process that are alive."""
    return [child for child in psutil.Process(pid).children() if is_alive(child)]
