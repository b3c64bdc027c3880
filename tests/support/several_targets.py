"""Several targets of an upstream, simulated as `upstream.targets` treats them."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from veneer.core import balancing, silence
from veneer.core.balancing import EjectionRules, TargetLoad
from veneer.core.silence import Owed

BEGAN_S = 1_000.0
LOOK_EVERY_S = 0.1
READ_TIMEOUT_S = 60.0
PATIENCE_S = 3.0
"""So long a client waits."""

THINKS_S = 0.001
"""After so long a client asks again."""

Behaviour = Callable[[float, str, float], float | None]
"""How long the answer takes to a request that is sent at that time, of this kind; None for never.

The third argument is the request's own, in [0, 1): what is slow by nature is slow at each target.
"""


@dataclass(slots=True)
class Request:
    """One, and what came of it."""

    at_s: float
    kind: str
    movable: bool
    nature: float
    targets: list[int] = field(default_factory=list[int])
    answered_s: float | None = None

    @property
    def failed(self) -> bool:
        """Whether its client has left before it was answered."""
        return self.answered_s is None or self.answered_s - self.at_s > PATIENCE_S


@dataclass(slots=True)
class _Sent:
    request: Request
    index: int
    at_s: float
    owed: Owed | None
    moved_from: _Sent | None = None
    moved_s: float = 0.0


class Targets:
    """Runs requests against targets that behave as they are told to."""

    def __init__(self, behaviours: list[Behaviour], seed: int = 7, rules: EjectionRules | None = None) -> None:
        self.behaviours = behaviours
        self.random = random.Random(seed)
        self.rules = rules or EjectionRules()
        self.loads = [TargetLoad() for _ in behaviours]
        self.ejections: list[tuple[float, int]] = []
        self.requests: list[Request] = []
        self.moves = 0
        self._sent: dict[Owed, _Sent] = {}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = 0
        self._until_s = BEGAN_S

    def run(self, rate: float, for_s: float, kinds: dict[str, float] | None = None, safe: float = 1.0) -> None:
        """Let requests come at random, `kinds` by their shares, `safe` of them safe ones."""
        kinds = kinds or {"": 1.0}
        at_s = BEGAN_S
        while (at_s := at_s + self.random.expovariate(rate)) < BEGAN_S + for_s:
            kind = self.random.choices([*kinds], [*kinds.values()])[0]
            request = Request(at_s, kind, self.random.random() < safe, self.random.random())
            self.requests.append(request)
            self._at(at_s, partial(self._come, request))
        self._play(for_s)

    def run_clients(self, count: int, for_s: float) -> None:
        """Let so many clients ask, each again once it was answered."""
        self._until_s = BEGAN_S + for_s
        for _ in range(count):
            self._at(BEGAN_S, self._ask)
        self._play(for_s)

    def _ask(self, now: float) -> None:
        request = Request(now, "", True, self.random.random())
        self.requests.append(request)
        self._come(request, now)

    def _play(self, for_s: float) -> None:
        looks = int((for_s + READ_TIMEOUT_S) / LOOK_EVERY_S)
        for number in range(looks):
            self._at(BEGAN_S + number * LOOK_EVERY_S, self._look)
        while self._events:
            now, _, act = heapq.heappop(self._events)
            act(now)

    def failed(self, since_s: float = 0.0) -> int:
        """How many clients left without an answer, of those that came after so long."""
        return sum(request.failed for request in self.requests if request.at_s >= BEGAN_S + since_s)

    def _at(self, at_s: float, act: Callable[[float], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (at_s, self._number, act))

    def _others(self, index: int) -> list[TargetLoad]:
        return [load for other, load in enumerate(self.loads) if other != index]

    def _come(self, request: Request, now: float) -> None:
        self._send(request, now, None)

    def _send(self, request: Request, now: float, moved_from: _Sent | None) -> None:
        movable = request.movable and moved_from is None
        able = [index for index, load in enumerate(self.loads) if load.ejected_until is None]
        able = [index for index in able if index not in request.targets] or [
            index for index in range(len(self.loads)) if index not in request.targets
        ]
        index, canary = balancing.pick(
            self.loads, able, request.kind if movable else None, now, self.rules, self.random.random
        )
        load = self.loads[index]
        request.targets.append(index)
        load.begun(now)
        owed = Owed(request.kind, now, canary=canary) if movable else None
        sent = _Sent(request, index, now, owed, moved_from)
        if owed is not None:
            load.silence.sent(owed)
            self._sent[owed] = sent
        takes = self.behaviours[index](now - BEGAN_S, request.kind, request.nature)
        if takes is None:
            self._at(now + READ_TIMEOUT_S, lambda at: self._timed_out(sent, at))
        else:
            self._at(now + takes, lambda at: self._answered(sent, at))

    def _end(self, sent: _Sent) -> None:
        self.loads[sent.index].ended()
        if sent.owed is not None:
            self.loads[sent.index].silence.ended(sent.owed)
            del self._sent[sent.owed]

    def _timed_out(self, sent: _Sent, now: float) -> None:
        if not sent.moved_s:
            self._end(sent)
            self.loads[sent.index].failed(now)
            self._judge(sent.index, now)

    def _answered(self, sent: _Sent, now: float) -> None:
        if sent.moved_s:
            return
        self._end(sent)
        sent.request.answered_s = now
        if now < self._until_s:
            self._at(now + THINKS_S, self._ask)
        load = self.loads[sent.index]
        load.succeeded(now, now - sent.at_s)
        if sent.owed is not None:
            load.silence.learn(sent.owed, now)
        before = sent.moved_from
        if before is not None and before.owed is not None:
            first = self.loads[before.index]
            if first.silence.miss(before.owed, before.moved_s - before.at_s, now - sent.at_s, now):
                first.failed(now)
                self._judge(before.index, now)

    def _judge(self, index: int, now: float) -> None:
        load = self.loads[index]
        if balancing.should_eject(load, self._others(index), self.rules):
            balancing.eject(load, now, self.rules)
            self.ejections.append((now - BEGAN_S, index))
            assert load.ejected_until is not None
            self._at(load.ejected_until, lambda at: balancing.readmit(load, at))

    def _look(self, now: float) -> None:
        ready = [load for load in self.loads if load.ready and load.ejected_until is None]
        for index, load in enumerate(self.loads):
            others = [other.silence for other in self._others(index)]
            another = any(other is not load for other in ready)
            for owed in silence.overdue(load.silence, others, now, another_is_ready=another):
                sent = self._sent[owed]
                self._end(sent)
                load.silence.learn(owed, now)
                sent.moved_s = now
                self.moves += 1
                self._send(sent.request, now, sent)
