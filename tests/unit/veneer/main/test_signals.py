"""Signals to a process of its own: what each does."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

CODE = """
import asyncio, sys
from veneer.main.signals import on_signals

async def main():
    stop, hung_up = asyncio.Event(), asyncio.Event()
    on_signals(asyncio.get_running_loop(), stop.set, lambda: print("hang up", flush=True))
    print("ready", flush=True)
    await stop.wait()
    print("draining", flush=True)
    if sys.argv[1:] == ["slow"]:
        await asyncio.sleep(60)
    print("drained", flush=True)

asyncio.run(main())
"""


def run(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, text=True)
    assert said(process) == "ready"
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_drains(number: signal.Signals) -> None:
    with run() as process:
        process.send_signal(number)
        assert [said(process), said(process)] == ["draining", "drained"]
        assert process.wait(10) == 0


def test_signals_of_other_servers_end_nothing() -> None:
    with run() as process:
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGUSR2)
        process.send_signal(signal.SIGHUP)
        assert said(process) == "hang up"
        process.send_signal(signal.SIGTERM)
        assert [said(process), said(process)] == ["draining", "drained"]
        assert process.wait(10) == 0


def test_a_second_interrupt_does_not_wait_for_the_drain() -> None:
    with run("slow") as process:
        process.send_signal(signal.SIGINT)
        assert said(process) == "draining"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT
