"""What a response does to the store: put, updated or forgotten."""

from __future__ import annotations

from dataclasses import replace

from veneer.core.entry import Entry
from veneer.core.key import cache_key, no_vary_search
from veneer.core.messages import ResponseHead
from veneer.core.outcome import Reason
from veneer.core.ranges import combine
from veneer.core.storability import NotStorable, Storable, check_body, judge
from veneer.core.tags import tags_of
from veneer.core.validation import Freshened, Mismatch, entry_for_304, freshen, freshen_from_head, outdates
from veneer.pipeline.context import Services
from veneer.pipeline.made import FetchedResponse, entry_of, judge_fetched, tags_for
from veneer.pipeline.plan import Plan
from veneer.ports import FetchLock


class StoreUpdater:
    """Keeps the store in step with what the backend answered."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def put(
        self, plan: Plan, entry: Entry, storable: Storable, lock: FetchLock | None = None
    ) -> tuple[Entry, bool]:
        """Store an entry whose body is here; the entry as it is stored, and whether it could be.

        `lock` is the one in which it was fetched, here and below: it is given back with what is stored, if it can be.
        """
        checked = check_body(storable, len(entry.body), plan.match.route.cache)
        if isinstance(checked, NotStorable):
            return entry, False
        if checked.span is not entry.span:
            entry = replace(entry, span=checked.span)
        await self._services.store.put(self._key(plan, entry), entry, checked.keep_s, lock)
        return entry, True

    def _key(self, plan: Plan, entry: Entry) -> str:
        """The key under which later requests look for `entry`: its own No-Vary-Search may make more of them alike."""
        search = no_vary_search(entry.fields)
        if plan.wanted.query is None or (search is None and self._services.searches.of(plan.wanted) is None):
            return plan.key
        self._services.searches.learn(plan.wanted, search)
        return cache_key(plan.wanted, plan.match.route.cache, body_digest=plan.body_digest, search=search)

    async def keep(
        self, plan: Plan, replaced: Entry, updated: Entry, fetched: FetchedResponse, lock: FetchLock | None = None
    ) -> Entry:
        """Store an updated response, judged anew: its new fields may forbid that or change its tags."""
        entry = replace(updated, tags=tags_for(plan, updated.fields))
        verdict = judge(
            replace(plan.wanted, method="GET") if plan.wanted.method == "HEAD" else plan.wanted,
            ResponseHead(entry.status, entry.reason, entry.fields),
            plan.match.route.cache,
            fetched.request_time,
            fetched.response_time,
            body_digest=plan.body_digest,
        )
        if isinstance(verdict, Storable) and tags_of(entry.fields) is not None:
            entry = replace(entry, fields=verdict.fields)
            await self._services.store.put(plan.key, entry, verdict.keep_s, lock)
        else:
            await self._services.store.forget(plan.key, replaced)
        return entry

    async def freshen(self, plan: Plan, fetched: FetchedResponse, lock: FetchLock | None = None) -> Freshened | None:
        """The stored response that a 304 confirms, updated and stored; None when it confirms none of ours."""
        stored = entry_for_304(plan.selected, plan.validating, fetched.response.head)
        if stored is None:
            return None
        found = freshen(
            stored,
            plan.wanted,
            fetched.response.head,
            request_time=fetched.request_time,
            response_time=fetched.response_time,
            born=fetched.born,
            rules=plan.match.route.cache,
        )
        if not isinstance(found, Freshened):
            return None
        return Freshened(await self.keep(plan, stored, found.entry, fetched, lock), found.personal)

    async def update_by_head(self, plan: Plan, fetched: FetchedResponse) -> Entry | None:
        """Let a 200 to HEAD update the stored response to GET, and end what it shows to be outdated (section 4.3.5).

        Returns the response as updated: it answers the HEAD as well.
        """
        updated = None
        for stored in plan.alike:
            found = freshen_from_head(
                stored,
                plan.wanted,
                fetched.response.head,
                request_time=fetched.request_time,
                response_time=fetched.response_time,
                born=fetched.born,
                rules=plan.match.route.cache,
            )
            if isinstance(found, Mismatch):
                await self._services.store.forget(plan.key, stored)
            elif found is not None and stored is plan.selected:
                updated = await self.keep(plan, stored, found.entry, fetched)
        return updated

    async def supersede(self, plan: Plan, fetched: FetchedResponse, verdict: Storable | NotStorable) -> None:
        """End the stored responses in whose place the backend has answered, so that nothing brings them back.

        What is stored in place of one of them needs no more than that. An answer that only its asker's Authorization
        keeps from being stored says nothing of what others get.
        """
        status = fetched.response.head.status
        personal = isinstance(verdict, NotStorable) and verdict.reason is Reason.AUTHORIZATION and status < 300
        if personal or not outdates(plan.wanted, status):
            return
        takes_place = verdict.vary if isinstance(verdict, Storable) and status < 300 else None
        for stored in plan.alike:
            if stored.span is not None or stored.vary != takes_place:
                await self._services.store.forget(plan.key, stored)

    async def complete(self, plan: Plan, stored: Entry, fetched: FetchedResponse) -> Entry | None:
        """The stored beginning and the rest that a 206 brings, as one (RFC 9111 section 3.4); None if they differ."""
        verdict = judge_fetched(plan, fetched)
        if isinstance(verdict, NotStorable):
            await fetched.response.aclose()
            return None
        rest = entry_of(plan, fetched, verdict, b"".join([p async for p in fetched.response.body()]))
        whole = combine(stored, rest)
        if whole is None or whole.span is not None:
            return None
        whole = replace(whole, born=min(stored.born, fetched.born))
        await self._services.store.put(plan.key, whole, verdict.keep_s)
        return whole
