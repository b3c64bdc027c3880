"""A cache built of the core alone, against a model: nothing comes out of it that may not.

The model knows of every response what the origin meant with it, in its own simple terms, and judges each answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.support.exchanges import RULES, T
from veneer.compiling.form import BuildKind, form
from veneer.core import invalidating, reuse, storability
from veneer.core.dates import format_date
from veneer.core.entry import Entry, Position
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import Freshness, freshness
from veneer.core.invalidating import Targets, invalidated_by
from veneer.core.invalidation import Validity
from veneer.core.key import cache_key, uri
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.reuse import Hit, ServeStale, decide
from veneer.core.rules import CacheRules
from veneer.core.storability import Storable, judge
from veneer.core.subjects import answered, named

TARGETS = Targets(lambda _path, _query: RULES.key, lambda _path, _query: RULES.key)


@dataclass(frozen=True)
class Meant:
    """What the origin meant: who may have the response, for how long, for which field values, of which version."""

    path: str
    secret: bool
    until: float
    stale_until: float
    vary: dict[str, str | None]
    version: int


paths = st.sampled_from(["/a", "/b"])
languages = st.sampled_from([None, "de", "en"])
lifetimes = st.integers(0, 20)


def get(path: str, foo: str | None, bar: str | None) -> RequestHead:
    pairs: list[Pair] = [(name, value) for name, value in (("Foo", foo), ("Bar", bar)) if value is not None]
    return RequestHead("GET", path, None, "site", Fields(pairs))


class CoreAsCache(RuleBasedStateMachine):
    """Requests, responses, writes and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T
        self.seq = 0
        self.named_at: dict[str, int] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.meant: list[Meant] = []
        self.versions = {"/a": 0, "/b": 0}
        self.versions_at = [dict(self.versions)]

    @rule(seconds=st.integers(0, 15))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(path=paths, status=st.sampled_from([200, 204, 303, 404, 500]), elsewhere=st.booleans())
    def write(self, path: str, status: int, elsewhere: bool) -> None:
        location = [("Location", "/b" if path == "/a" else "/a")] if elsewhere else []
        request = RequestHead("POST", path, None, "site", Fields())
        events = invalidated_by(request, status, Fields(location), targets=TARGETS)
        if status < 400:
            for changed in {path, *(value for _, value in location)}:
                self.versions[changed] += 1
        for event in events:
            self.seq += 1
            self.named_at.update(dict.fromkeys(named(event), self.seq))
            self.versions_at.append(dict(self.versions))

    @rule(
        path=paths,
        foo=languages,
        bar=languages,
        marks=st.sets(st.sampled_from(["no-store", "private", "no-cache", "must-revalidate", "public"])),
        max_age=lifetimes,
        swr=lifetimes,
        vary=st.sampled_from(["", "Foo", "bar, foo", "*"]),
        started=st.integers(0, 2),
    )
    def fetch(
        self,
        *,
        path: str,
        foo: str | None,
        bar: str | None,
        marks: set[str],
        max_age: int,
        swr: int,
        vary: str,
        started: int,
    ) -> None:
        """A response whose fetch began `started` events ago: it may be older than the last write."""
        text = ", ".join([*sorted(marks), f"max-age={max_age}", f"stale-while-revalidate={swr}"])
        body = str(len(self.meant)).encode()
        fields = Fields([("Date", format_date(self.now)), ("Cache-Control", text), ("Vary", vary), ("ETag", '"x"')])
        request = get(path, foo, bar)
        strict = bool({"must-revalidate", "no-cache"} & marks)
        fresh = 0 if "no-cache" in marks else max_age
        names = [name.strip() for name in vary.lower().split(",") if name]
        self.meant.append(
            Meant(
                path,
                bool({"no-store", "private"} & marks) or vary == "*",
                self.now + fresh,
                self.now + fresh + (0 if strict else swr),
                {name: foo if name == "foo" else bar for name in names},
                self.versions_at[max(0, self.seq - started)][path],
            )
        )
        judged = judge(request, ResponseHead(200, "", fields), RULES, self.now, self.now)
        if isinstance(judged, Storable):
            born = Position("e", max(0, self.seq - started))
            entry = Entry(200, "", judged.fields, body, self.now, self.now, uri(request, RULES.key), born, judged.vary)
            self.entries.setdefault(cache_key(request, RULES), []).append(entry)

    @rule(path=paths, foo=languages, bar=languages)
    def read(self, path: str, foo: str | None, bar: str | None) -> None:
        request = get(path, foo, bar)
        candidates = [
            (entry, Validity.VALID)
            for entry in self.entries.get(cache_key(request, RULES), [])
            if all(self.named_at.get(subject, -1) <= entry.born.seq for subject in ("*", *answered(entry)))
        ]
        decision = decide(request, candidates, RULES, self.now)
        if not isinstance(decision, Hit | ServeStale):
            return
        meant = self.meant[int(decision.entry.body)]
        assert not meant.secret
        assert meant.path == path
        assert self.now < (meant.until if isinstance(decision, Hit) else meant.stale_until)
        presented = {"foo": foo, "bar": bar}
        assert all(presented[name] == value for name, value in meant.vary.items())
        assert meant.version == self.versions[path]


def nothing(*_: object) -> None:
    """In place of a check."""


def empty(*_: object) -> tuple[str, ...]:
    """In place of names."""
    return ()


def always(*_: object) -> bool:
    """In place of a comparison."""
    return True


def at_receipt(entry: Entry, rules: CacheRules, _now: float) -> Freshness:
    """In place of a clock that goes on."""
    return freshness(entry, rules, entry.response_time)


@pytest.mark.skipif(form() is BuildKind.COMPILED, reason="calls within compiled modules cannot be led astray")
@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (reuse, "matches", always),
        (reuse, "freshness", at_receipt),
        (storability, "_refused_by_directives", nothing),
        (invalidating, "uris_of", empty),
    ],
)
def test_the_model_notices_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, broken: object
) -> None:
    monkeypatch.setattr(module, name, broken)
    how = settings(deadline=None, max_examples=2_000, stateful_step_count=20, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(CoreAsCache, settings=how)


CoreAsCache.TestCase.settings = settings(deadline=None, stateful_step_count=20)
TestCoreAsCache = CoreAsCache.TestCase
