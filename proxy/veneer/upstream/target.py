"""One of several backends of an upstream, and what is known of it and them."""

from __future__ import annotations

from dataclasses import dataclass, field

from veneer.core.affinity import AffinityRules, number_of
from veneer.core.balancing import EjectionRules, TargetLoad
from veneer.core.messages import ResponseHead
from veneer.policy.model_targets import RetryRules
from veneer.ports import InterimSink
from veneer.upstream.health import CheckedPool
from veneer.upstream.pool import UpstreamPool


@dataclass(slots=True, eq=False)
class UpstreamTarget:
    """One of them. With `check` its health is looked at; one that is `drained` gets no requests."""

    pool: UpstreamPool
    check: CheckedPool | None = None
    drained: bool = False
    load: TargetLoad = field(default_factory=TargetLoad)
    refuses: bool = False
    was_down: bool = False
    on_trial: bool = False
    label: str = field(init=False)

    def __post_init__(self) -> None:
        self.label = str(self.pool)
        self.load.number = number_of(self.label)

    def __str__(self) -> str:
        return self.label

    async def aclose(self) -> None:
        """Look no more, and keep no connection but for what is under way."""
        await (self.pool if self.check is None else self.check).aclose()

    def is_in(self, now_s: float) -> bool:
        """Whether it may have requests. One that its checks find well again begins slowly."""
        if self.drained or self.load.ejected_until is not None:
            return False
        if self.check is not None and not self.check.healthy:
            self.was_down = True
            return False
        if self.was_down:
            self.was_down = False
            self.load.back_s = now_s
        return True

    @property
    def state(self) -> str:
        """For who watches."""
        if self.drained:
            return "draining"
        if self.load.ejected_until is not None:
            return "resting" if self.load.rests else "ejected"
        return "down" if self.check is not None and not self.check.healthy else "up"


@dataclass(slots=True)
class TargetCounts:
    """What was tried again, what would have been had the budget not been spent, and how often targets were ejected."""

    retries: int = 0
    over_budget: int = 0
    ejections: int = 0


@dataclass(frozen=True, slots=True)
class SetRules:
    """What holds for all targets of the upstream `name`; `alike` says that a request's head is the same for each.

    Then `like` writes it, where targets come and go. For `patience_s` a request waits for the first. With `affinity`
    requests of one key go to one target.
    """

    name: str
    ejection: EjectionRules = field(default_factory=EjectionRules)
    retries: RetryRules = field(default_factory=RetryRules)
    alike: bool = True
    like: UpstreamPool | None = None
    patience_s: float = 5.0
    affinity: AffinityRules | None = None


class Relay:
    """An interim sink that knows whether anything went through it."""

    __slots__ = ("_sink", "used")

    def __init__(self, sink: InterimSink) -> None:
        self._sink = sink
        self.used = False

    def __call__(self, head: ResponseHead) -> None:
        """Pass it on."""
        self.used = True
        self._sink(head)
