"""The public HTTP cache test suite as typed data (`http-cache-tests.json`, taken from http-tests/cache-tests).

Every field that steers a test is declared here, and unknown fields are refused: a newer suite that means something new
must fail loudly instead of being half understood.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_FILE = REPOSITORY.parent / "shared" / "http-cache-tests.json"


class Kind(Enum):
    """What a failure means: a broken requirement, a missed optimisation, or merely the other answer."""

    REQUIRED = "required"
    OPTIMAL = "optimal"
    CHECK = "check"


class Outcome(Enum):
    """How a step expects its response to come about (`expected_type`)."""

    CACHED = "cached"
    NOT_CACHED = "not_cached"
    LM_VALIDATED = "lm_validated"
    ETAG_VALIDATED = "etag_validated"

    @property
    def is_validated(self) -> bool:
        """Whether the origin has to see a conditional request."""
        return self in (Outcome.LM_VALIDATED, Outcome.ETAG_VALIDATED)


class FieldLine(Struct, array_like=True):
    """A field to send. An integer value of a date field is seconds from the origin's clock.

    `checked`: whether the client has to receive the line unchanged when the origin sent it.
    """

    name: str
    value: str | int
    checked: bool = True


class ExpectedField(Struct, array_like=True):
    """`[name, value]`, `[name, ">", number]` or `[name, "=", other field]`."""

    name: str
    value: str | int
    operand: str | int | None = None


class Interim(Struct, array_like=True):
    """A 1xx response: its status code and its fields."""

    status: int
    fields: list[tuple[str, str]] = []


class Step(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One request of a test, the answer the origin gives to it, and what has to come of it."""

    request_method: str = "GET"
    request_headers: list[FieldLine] = []
    request_body: str | None = None
    query_arg: str | None = None
    filename: str | None = None
    redirect: str = "follow"
    mode: str | None = None
    credentials: str | None = None
    cache: str | None = None
    magic_ims: bool = False
    magic_locations: bool = False
    rfc850date: list[str] = []
    pause_after: bool = False
    disconnect: bool = False
    interim_responses: list[Interim] = []
    response_status: tuple[int, str] | None = None
    response_headers: list[FieldLine] = []
    response_body: str | UnsetType | None = UNSET
    response_pause: int = 0
    check_body: bool = True
    setup: bool = False
    setup_tests: list[str] = []
    expected_type: Outcome | None = None
    expected_method: str | None = None
    expected_status: int | UnsetType | None = UNSET
    expected_request_headers: list[str | tuple[str, str]] = []
    expected_request_headers_missing: list[str | tuple[str, str]] = []
    expected_response_headers: list[str | ExpectedField] = []
    expected_response_headers_missing: list[str | tuple[str, str]] = []
    expected_response_text: str | UnsetType | None = UNSET
    expected_interim_responses: list[Interim] | UnsetType = UNSET
    # The client adds these two before it hands the steps to the origin.
    name: str = ""
    id: str = ""

    def is_setup(self, member: str) -> bool:
        """Whether a failure of the check called `member` says only that the test could not be set up."""
        return self.setup or member in self.setup_tests


class CacheTest(Struct, forbid_unknown_fields=True):
    """A test: steps sent one after the other, over a resource of its own."""

    name: str
    id: str
    requests: list[Step]
    kind: Kind = Kind.REQUIRED
    description: str = ""
    depends_on: list[str] = []
    spec_anchors: list[str] = []
    browser_only: bool = False
    browser_skip: bool = False
    cdn_only: bool = False


class Group(Struct, forbid_unknown_fields=True):
    """Tests of one theme."""

    name: str
    id: str
    tests: list[CacheTest]
    description: str = ""
    spec_anchors: list[str] = []


class SuiteError(Exception):
    """The suite cannot be used: missing, malformed, or without the tests that were asked for."""


class Suite:
    """All groups, with the tests that apply to a reverse proxy."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.groups = tuple(groups)
        self._by_id = {test.id: test for test in self}

    def __iter__(self) -> Iterator[CacheTest]:
        return (test for group in self.groups for test in group.tests if not test.browser_only)

    def __len__(self) -> int:
        return len(self._by_id)

    def __getitem__(self, test_id: str) -> CacheTest:
        return self._by_id[test_id]

    def __contains__(self, test_id: str) -> bool:
        return test_id in self._by_id

    def select(self, names: Iterable[str]) -> list[CacheTest]:
        """The tests called or grouped under `names`, in the suite's order; all of them when there is no name."""
        wanted = set(names)
        if not wanted:
            return list(self)
        known = set(self._by_id) | {group.id for group in self.groups}
        if unknown := sorted(wanted - known):
            groups = ", ".join(group.id for group in self.groups)
            raise SuiteError(f"no test or group is called {', '.join(unknown)}; groups: {groups}")
        return [
            test
            for group in self.groups
            for test in group.tests
            if not test.browser_only and wanted & {test.id, group.id}
        ]


def suite_file() -> Path:
    """Where the suite is: CACHE_TESTS, or beside the repository."""
    return Path(os.environ.get("CACHE_TESTS", DEFAULT_FILE))


def load(path: Path) -> Suite:
    """Read the suite. Raises SuiteError."""
    try:
        return Suite(msgspec.json.decode(path.read_bytes(), type=list[Group]))
    except OSError as error:
        raise SuiteError(f"cannot read the test suite {path}: {error}; name it with CACHE_TESTS=FILE") from error
    except msgspec.ValidationError as error:
        raise SuiteError(f"{path}: {error}") from error
