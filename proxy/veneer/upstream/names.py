"""Where a backend's name leads: looked up apart from everything else, and remembered."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Final

from veneer.loop.tasks import anew
from veneer.policy.places import is_address
from veneer.ports import Clock
from veneer.upstream.settings import Endpoint

logger = logging.getLogger(__name__)

FRESH_S: Final = 5.0
"""So long an answer is used without asking again. The system's resolver does not tell how long it holds."""
USABLE_S: Final = 60.0
"""So long it is used while it is asked for again; an older one only where no other comes."""
PATIENCE_S: Final = 1.0
"""So long a new answer is waited for where there is an old one."""
HANGS_S: Final = 10.0
"""A look-up that takes longer is given up."""
MAX_THREADS: Final = 4
"""Look-ups of one name that may hang at once."""

LookUp = Callable[[Endpoint], list[str]]
"""Gives the addresses of an endpoint's host, best first. It may block, and raises OSError or UnicodeError."""
Answer = list[str] | Exception


def look_up(endpoint: Endpoint) -> list[str]:
    """What the system's resolver says, in its order, without repetition."""
    found = socket.getaddrinfo(endpoint.place, endpoint.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Names:
    """The addresses of one backend.

    Each look-up has a thread of its own: those of the loop are few and shared, and two names that hang would keep every
    other one waiting.
    """

    def __init__(self, endpoint: Endpoint, clock: Clock, look_up: LookUp = look_up) -> None:
        self._endpoint = endpoint
        self._monotonic = clock.monotonic
        self._look_up = look_up
        self._known: list[str] = [endpoint.place] if is_address(endpoint.place) else []
        self._is_literal = bool(self._known)
        self._known_s = 0.0
        self._best: str | None = None
        self._asked: asyncio.Future[Answer] | None = None
        self._asked_s = 0.0
        self._threads = 0
        self._away = self._is_followed = False

    async def addresses(self) -> list[str]:
        """The addresses to try, the one that answered last in front. Raises OSError or UnicodeError."""
        if self._is_literal:
            return self._known
        age_s = self._monotonic() - self._known_s
        if self._known and age_s <= FRESH_S:
            return self._in_order()
        asked = self._ask()
        if not (self._known and age_s <= USABLE_S):
            await asyncio.wait([asked], timeout=PATIENCE_S if self._known else None)
        if self._known:
            return self._in_order()
        raise self._nothing(asked.result())

    async def look_again(self) -> list[str]:
        """What a look-up says now, for who follows the name, and tells the log. Raises OSError or UnicodeError."""
        self._is_followed = True
        asked = self._ask()
        await asyncio.wait([asked], timeout=HANGS_S)
        answer = asked.result() if asked.done() else TimeoutError(f"no answer within {HANGS_S:g} s")
        if isinstance(answer, list):
            return answer
        raise anew(answer)

    def _nothing(self, answer: Answer) -> Exception:
        return OSError(f"{self._endpoint.place} has no address") if isinstance(answer, list) else anew(answer)

    def worked(self, address: str) -> None:
        """This one has answered: it is the first to try from now on."""
        self._best = address

    def failed(self) -> None:
        """None of them has answered: what is known counts as old, for the name may have moved."""
        self._known_s = self._monotonic() - USABLE_S - 1.0
        self._best = None

    def _in_order(self) -> list[str]:
        best = self._best
        if best not in self._known:
            return list(self._known)
        return [best, *(address for address in self._known if address != best)]

    def _ask(self) -> asyncio.Future[Answer]:
        """The look-up under way, or another one."""
        now_s = self._monotonic()
        hangs = now_s - self._asked_s > HANGS_S and self._threads < MAX_THREADS
        if self._asked is None or (hangs and not self._asked.done()):
            loop = asyncio.get_running_loop()
            asked = self._asked = loop.create_future()
            self._asked_s = now_s
            self._threads += 1
            name = f"look up {self._endpoint.place}"
            threading.Thread(target=self._run, args=(loop, asked), name=name, daemon=True).start()
        return self._asked

    def _run(self, loop: asyncio.AbstractEventLoop, asked: asyncio.Future[Answer]) -> None:
        """In a thread: ask, and tell the loop, if it is there still."""
        answer: Answer
        try:
            answer = self._look_up(self._endpoint)
        except (OSError, UnicodeError) as error:
            answer = error.with_traceback(None)
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._take, asked, answer)

    def _take(self, asked: asyncio.Future[Answer], answer: Answer) -> None:
        self._threads -= 1
        if self._asked is asked:
            self._asked = None
        if isinstance(answer, list) and answer:
            if not self._is_followed and (self._away or (self._known and set(answer) != set(self._known))):
                logger.info("%s is at %s", self._endpoint.place, ", ".join(answer))
            self._known, self._known_s, self._away = answer, self._monotonic(), False
        elif self._known and not (self._away or self._is_followed):
            self._away = True
            reason = "no address" if isinstance(answer, list) else answer
            logger.warning("%s cannot be looked up, its last addresses are used: %s", self._endpoint.place, reason)
        if not asked.done():
            asked.set_result(answer)
