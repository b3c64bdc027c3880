"""The backends of the policy in force, kept while their settings stay the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from veneer.loop.tasks import Tasks
from veneer.policy.model import UpstreamSettings
from veneer.ports import Clock, OutgoingSpans
from veneer.upstream.gate import Load
from veneer.upstream.open import open_upstream, targets_of
from veneer.upstream.opened import OpenUpstream
from veneer.upstream.states import UpstreamCondition, condition_of, states_of
from veneer.upstream.targets import TargetSet

MAX_GONE: Final = 64
"""Names that no policy has any more, and whose backends are remembered."""


class Backends(Mapping[str, OpenUpstream]):
    """Open backends by name. A reload opens what is new and closes what is gone; exchanges under way end in peace.

    A request that began under an older policy may come for a backend whose name is gone: it is found here still, and
    keeps no connection but those of such requests.
    """

    def __init__(self, clock: Clock, tasks: Tasks, spans: OutgoingSpans | None = None) -> None:
        self._clock = clock
        self._tasks = tasks
        self._spans = spans
        self._open: dict[str, tuple[UpstreamSettings, OpenUpstream]] = {}
        self._gone: dict[str, OpenUpstream] = {}

    def __getitem__(self, name: str) -> OpenUpstream:
        found = self._open.get(name)
        return self._gone[name] if found is None else found[1]

    def __contains__(self, name: object) -> bool:
        return name in self._open

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
            else (settings, open_upstream(settings, self._clock, self._tasks, self._spans))
            for name, settings in wanted.items()
        }
        for name, pair in before.items():
            if name not in self._open:
                self._gone.pop(name, None)
                self._gone[name] = pair[1]
            if self._open.get(name) is not pair:
                self._tasks.start(pair[1].aclose(), f"close backend {name}")
        for name in list(self._gone)[:-MAX_GONE]:
            del self._gone[name]

    def target_sets(self) -> list[TargetSet]:
        """Those of several targets."""
        found = [targets_of(backend) for _, backend in self._open.values()]
        return [target_set for target_set in found if target_set is not None]

    def loads(self) -> dict[str, Load]:
        """How those of the policy in force stand, by name."""
        return {name: backend.load() for name, (_, backend) in self._open.items()}

    def conditions(self) -> dict[str, UpstreamCondition]:
        """Whether those of the policy in force are given requests, by name."""
        return {name: condition_of(backend) for name, (_, backend) in self._open.items()}

    def states(self) -> dict[str, Sequence[tuple[str, str]]]:
        """The backends of those in force with the state of each, by the upstream's name."""
        return {name: states_of(backend, settings.url) for name, (settings, backend) in self._open.items()}

    async def aclose(self) -> None:
        """Close them all."""
        for _, backend in self._open.values():
            await backend.aclose()
