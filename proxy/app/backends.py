"""The backends of the policy in force, kept while their settings stay the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proxy.policy.model import UpstreamSettings
from proxy.ports import Clock
from proxy.tasks import Tasks
from proxy.upstream.open import OpenUpstream, open_upstream


class Backends(Mapping[str, OpenUpstream]):
    """Open backends by name. A reload opens what is new and closes what is gone; exchanges under way end in peace."""

    def __init__(self, clock: Clock, tasks: Tasks) -> None:
        self._clock = clock
        self._tasks = tasks
        self._open: dict[str, tuple[UpstreamSettings, OpenUpstream]] = {}

    def __getitem__(self, name: str) -> OpenUpstream:
        return self._open[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def apply(self, wanted: Mapping[str, UpstreamSettings]) -> None:
        """Have exactly the `wanted` backends open. Raises ValueError for a URL that is no backend's."""
        before = self._open
        self._open = {
            name: before[name]
            if name in before and before[name][0] == settings
            else (settings, open_upstream(settings, self._clock, self._tasks))
            for name, settings in wanted.items()
        }
        for name, pair in before.items():
            if self._open.get(name) is not pair:
                self._tasks.start(pair[1].aclose(), f"close backend {name}")

    async def aclose(self) -> None:
        """Close them all."""
        for _, backend in self._open.values():
            await backend.aclose()
