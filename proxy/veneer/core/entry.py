"""The stored response (RFC 9111 section 3) and where it stands in the invalidation log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from veneer.core.fields import Fields
from veneer.core.invalidation import Validity
from veneer.core.record import gc_free_struct
from veneer.core.rules import CacheRules


class Position(NamedTuple):
    """A place in the total order of invalidations.

    `seq` counts events from 1 within an `epoch`; a new epoch begins whenever the log may have lost events.
    Positions of different epochs cannot be compared: an entry of another epoch is dead.
    """

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """The part of a representation that a stored 206 holds: bytes first to last inclusive of `complete` in all.

    `asked` is the Range field of the request that it answered: the same request again has the same answer.
    """

    first: int
    last: int
    complete: int | None
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class CodedBody:
    """The entry's body in one content coding, made by this cache.

    `recompressed` is the form made later, as small as the coding can make it: other bytes, and so another entity tag.
    """

    coding: str
    body: bytes
    recompressed: bool = False


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class FreshnessTerms:
    """What the fields of a response and a route's rules say of its use, once and for all (RFC 9111 section 4.2).

    `age_at_receipt_s` is the corrected initial age. The stale windows are seconds after the end of freshness, 0 where
    none is granted or serving stale is forbidden; `longest_stale_s` is the longest. `guarded` responses are not for
    requests with credentials (core.sharing).
    """

    lifetime_s: Final[float]
    age_at_receipt_s: Final[float]
    stale_while_revalidate_s: Final[float]
    stale_if_error_s: Final[float]
    stale_on_overload_s: Final[float]
    longest_stale_s: Final[float]
    may_serve_disconnected: Final[bool]
    forbids_stale: Final[bool]
    must_validate: Final[bool]
    guarded: Final[bool]

    def __init__(
        self,
        *,
        lifetime_s: float,
        age_at_receipt_s: float,
        stale_windows_s: tuple[float, float, float],
        may_serve_disconnected: bool,
        forbids_stale: bool,
        must_validate: bool,
        guarded: bool,
    ) -> None:
        self.lifetime_s = lifetime_s
        self.age_at_receipt_s = age_at_receipt_s
        self.stale_while_revalidate_s, self.stale_if_error_s, self.stale_on_overload_s = stale_windows_s
        self.longest_stale_s = max(stale_windows_s)
        self.may_serve_disconnected = may_serve_disconnected
        self.forbids_stale = forbids_stale
        self.must_validate = must_validate
        self.guarded = guarded


@mypyc_attr(acyclic=True)
class EntryDerived:
    """What was last found out about an entry, so that it need not be found out again.

    What the log said of it: `moved` is the log's local count of changes then, `through` the position up to which the
    entry was found valid; `subjects` are what the entry answers to, kept from the second time on that they are needed.
    `terms` are those under `rules`. It says nothing of what the entry is: any two are equal.
    """

    __slots__ = ("moved", "rules", "subjects", "terms", "through", "validity")

    def __init__(self) -> None:
        self.moved = -1
        self.validity = Validity.DEAD
        self.through = -1
        self.subjects: tuple[str, ...] | None = None
        self.rules: CacheRules | None = None
        self.terms: FreshnessTerms | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EntryDerived)

    def __hash__(self) -> int:
        return 0


@gc_free_struct
class Entry:
    """One stored response.

    `request_time` and `response_time` are seconds since the epoch (RFC 9111 section 4.2.3). `vary` is the list of
    (lower-case field name, normalised value or None if absent) of the request that selected it (section 4.1), in the
    order of the names. `uri` is authority + normalised target under the route's key rules. `tags` are the names by
    which it can be invalidated. `born` is the log position applied *before* its fetch began: an invalidation after it
    kills it. `span` is set for a partial response. `coded` holds bodies compressed by this cache; `body` is as the
    origin sent it. `soft_stale` is not stored here: softness is a fact of the log. `memo` has no meaning outside this
    process; it is not stored.
    """

    status: int
    reason: str
    fields: Fields
    body: bytes
    request_time: float
    response_time: float
    uri: str
    born: Position
    vary: tuple[tuple[str, str | None], ...] = ()
    tags: tuple[str, ...] = ()
    span: ByteSpan | None = None
    coded: tuple[CodedBody, ...] = ()
    memo: EntryDerived = field(default_factory=EntryDerived, init=False)

    def with_coded(self, coded: CodedBody) -> Entry:
        """This entry with one more coded body, in place of the one in that coding. What the log said of it holds on."""
        entry = replace(self, coded=(*(c for c in self.coded if c.coding != coded.coding), coded))
        entry.memo.through = self.memo.through
        return entry

    def drop_derived(self) -> None:
        """Let go of what was worked out of the fields: nobody may ask for it again for a long time."""
        self.fields.drop_derived()
        memo = self.memo
        memo.rules = memo.terms = None

    def coded_in(self, coding: str) -> CodedBody | None:
        """The body in that coding, where it was made already."""
        for coded in self.coded:
            if coded.coding == coding:
                return coded
        return None

    @property
    def size_bytes(self) -> int:
        """Bytes this entry holds, bodies and fields, for the stores' bounds."""
        size = len(self.body) + len(self.uri)
        for name, value in self.fields.pairs:
            size += len(name) + len(value)
        for coded in self.coded:
            size += len(coded.body)
        return size
