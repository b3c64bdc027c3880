"""Notices where a backend answers one key in several ways without saying by which request field it chooses."""

from __future__ import annotations

import logging

from veneer.core.messages import ResponseHead
from veneer.core.storability import NotStorable, Storable
from veneer.core.undeclared import undeclared
from veneer.pipeline.plan import Plan

logger = logging.getLogger(__name__)

MAX_ROUTES = 2_000


class Mixing:
    """Compares what is fetched anew with what is stored under the same key: nothing that a hit would wait for.

    Each route is warned about once for each request field, whatever the number of its responses is.
    """

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def consider(self, plan: Plan, head: ResponseHead, verdict: Storable | NotStorable) -> None:
        """See a response that may take the place of stored ones."""
        if head.status != 200 or isinstance(verdict, NotStorable):
            return
        route = plan.match.route
        for stored in plan.alike:
            if stored.status != 200:
                continue
            found = undeclared(stored.fields, head.fields, route.cache, coded_here=route.compress.enabled)
            if found is None or (route.name, found.chosen_by) in self._told:
                continue
            if len(self._told) >= MAX_ROUTES:
                self._told.clear()
            self._told.add((route.name, found.chosen_by))
            logger.warning(
                "route %s: %s was answered with %s before and with %s now, and all who ask get whichever is stored; "
                "if the backend chooses by %s, let it say `Vary: %s`, or write `cache: {key: {headers: [%s]}}`",
                route.name,
                plan.wanted.path,
                found.before,
                found.now,
                *(found.chosen_by,) * 3,
            )
