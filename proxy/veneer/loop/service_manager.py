"""What the manager of this process is told of it, where there is one: systemd's sd_notify(3) protocol."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

ADDRESS: Final = "NOTIFY_SOCKET"
WATCHDOG_US: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"

logger = logging.getLogger(__name__)


class ServiceManager:
    """Sends states as datagrams to `address`, a path or, after an "@", an abstract name; without one nothing is sent.

    What cannot be sent is logged once and otherwise ignored: the manager has time-outs of its own.
    `watchdog_s` is how long the manager waits for a sign of life before it ends the process; None where it does not.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._stopping = False
        self._warned = False

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> ServiceManager:
        """The manager that the environment names. WATCHDOG_PID says which process is to give signs of life."""
        address = environment.get(ADDRESS, "")
        if not address.startswith(("/", "@")):
            return cls()
        wait_us = environment.get(WATCHDOG_US, "")
        asked = environment.get(WATCHDOG_PID, str(pid)) == str(pid)
        return cls(address, int(wait_us) / 1e6 if asked and wait_us.isdecimal() and int(wait_us) else None)

    def ready(self, status: str) -> None:
        """It serves, for the first time or again; `status` is one line for people. Nothing once it is stopping."""
        if not self._stopping:
            self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """It takes up changes; `ready` follows."""
        if not self._stopping:
            # Type=notify-reload compares it with the time at which the signal was sent.
            now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
            self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=taking up changes")

    def stopping(self) -> None:
        """It ends, and lets end what is under way."""
        self._stopping = True
        self._send("STOPPING=1\nSTATUS=draining")

    async def keep_alive(self) -> None:
        """Give signs of life, twice as often as needed, until cancelled; returns at once where nobody waits for any."""
        while self._watchdog_s is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / 2)

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        path = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(os.fsencode(state), path)
        except OSError as error:
            if not self._warned:
                self._warned = True
                logger.warning("the service manager at %s hears nothing: %s", self._address, error.strerror or error)
