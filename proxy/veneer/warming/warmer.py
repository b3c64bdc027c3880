"""Asks for targets, a few at a time, and counts what became of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import aiohttp
from yarl import URL

from veneer.core.cache_control import delta_seconds
from veneer.core.codings import CODINGS
from veneer.warming.sources import WarmTarget

ACCEPT_ENCODING = ", ".join(CODINGS)
"""What most clients would say, so that the coded body is made as well."""

MAX_WAIT_S = 60.0

MAX_REASONS = 8


class Outcome(NamedTuple):
    """What became of one target, and why where it failed."""

    what: Literal["stored", "present", "unkept", "failed"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class WarmReport:
    """What became of the targets: `stored` now, `present` before, answered but not kept (`unkept`), or `failed`.

    `reasons` says why targets failed, and how often, at most `MAX_REASONS` of them.
    """

    wanted: int
    stored: int = 0
    present: int = 0
    unkept: int = 0
    failed: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def done(self) -> int:
        """Targets asked for so far."""
        return self.stored + self.present + self.unkept + self.failed

    def counting(self, outcome: Outcome) -> WarmReport:
        """This report with one more outcome."""
        counts = {name: getattr(self, name) for name in ("stored", "present", "unkept", "failed")}
        counts[outcome.what] += 1
        reasons = dict(self.reasons)
        if outcome.why:
            why = outcome.why if outcome.why in reasons or len(reasons) < MAX_REASONS else "other reasons"
            reasons[why] = reasons.get(why, 0) + 1
        return WarmReport(self.wanted, **counts, reasons=reasons)

    def __str__(self) -> str:
        counts = (
            f"{self.done} of {self.wanted} targets: {self.stored} stored, {self.present} already there, "
            f"{self.unkept} not cacheable, {self.failed} failed"
        )
        ordered = sorted(self.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
        return counts + (f" ({', '.join(f'{count} x {why}' for why, count in ordered)})" if ordered else "")


@dataclass(frozen=True, slots=True)
class RequestRate:
    """At most `at_once` requests at a time and `per_s` in a second (0 for no bound)."""

    at_once: int = 4
    per_s: float = 0.0


Progress = Callable[[WarmReport], None]
Sleep = Callable[[float], Awaitable[None]]


async def warm(
    targets: Sequence[WarmTarget],
    proxy: str,
    headers: Mapping[str, str],
    pace: RequestRate = RequestRate(),
    progress: Progress | None = None,
    sleep: Sleep = asyncio.sleep,
    *,
    certified: bool = True,
) -> WarmReport:
    """Ask the proxy at `proxy` (a URL) for every target. A rate limit is waited for once; nothing is raised.

    Where the proxy is this process itself, its certificate has not to be for the address (`certified`).
    """
    report = WarmReport(len(targets))
    waiting = iter(targets)
    connector = aiohttp.TCPConnector(limit=pace.at_once, ssl=certified)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

        async def work() -> None:
            nonlocal report
            for target in waiting:
                outcome = await _ask(session, proxy, target, headers, sleep)
                report = report.counting(outcome)
                if progress is not None:
                    progress(report)
                if pace.per_s > 0:
                    await sleep(pace.at_once / pace.per_s)

        await asyncio.gather(*(work() for _ in range(min(pace.at_once, len(targets)))))
    return report


async def _ask(
    session: aiohttp.ClientSession, proxy: str, target: WarmTarget, headers: Mapping[str, str], sleep: Sleep
) -> Outcome:
    own = {"Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "veneer-warm", **headers}
    if target.host is not None:
        own["Host"] = target.host
    for attempt in (1, 2):
        try:
            url = URL(proxy.rstrip("/") + target.target, encoded=True)
            async with session.get(url, headers=own, allow_redirects=False) as response:
                async for _ in response.content.iter_any():
                    pass
                wait = _wait_s(response) if response.status == 429 else None
                if wait is None or attempt == 2:
                    return _outcome(response)
        except TimeoutError:
            return Outcome("failed", "no answer in time")
        except aiohttp.ClientConnectorError as error:
            return Outcome("failed", f"{proxy} cannot be reached: {_why(error.os_error)}")
        except (aiohttp.ClientError, ValueError) as error:
            return Outcome("failed", f"{type(error).__name__}: {error}"[:120])
        await sleep(wait)
    raise AssertionError("the second attempt returns")


def _why(error: OSError) -> str:
    """The system's words for its error number: asyncio writes the address in their place."""
    return os.strerror(error.errno) if error.errno else str(error)


def _wait_s(response: aiohttp.ClientResponse) -> float | None:
    seconds = delta_seconds(response.headers.get("Retry-After", ""))
    return None if seconds is None else min(float(seconds), MAX_WAIT_S)


def _outcome(response: aiohttp.ClientResponse) -> Outcome:
    if response.status >= 400:
        return Outcome("failed", f"status {response.status}")
    said = cache_words(response.headers.getall("Cache-Status", []))
    return Outcome("present" if "hit" in said else "stored" if "stored" in said else "unkept")


def cache_words(lines: Iterable[str]) -> frozenset[str]:
    """The parameters that Cache-Status (RFC 9211) gives without a value, as "hit" and "stored"."""
    return frozenset(part.strip() for line in lines for part in line.replace(",", ";").split(";"))
