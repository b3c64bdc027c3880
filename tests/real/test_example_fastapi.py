"""`examples/fastapi-bearer`: most reads are hits, and nobody sees another tenant's byte, whatever the token is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.process import free_port, wait_until
from tests.real.support.both import launch
from tests.real.support.example import Running, blocks_of_page, hit_rate, page_shows, policies, running, said
from tests.real.support.install import EXAMPLES, python_group
from tests.support.client import Answer
from tests.support.tokens import OTHER_SECRET, SECRET, tampered, token, unsigned

pytestmark = [pytest.mark.timeout(600)]

NAME = "fastapi-bearer"
GOOD = {"iss": "projects", "aud": "projects-api"}
JSON = {"Content-Type": "application/json"}


@contextmanager
def started(directory: Path, file: Path) -> Iterator[Running]:
    port, env = free_port(), {"TOKEN_SECRET": SECRET}
    uvicorn = [python_group(NAME).program("uvicorn"), "--app-dir", str(EXAMPLES / NAME), "--port", str(port)]
    with running(launch(NAME, [*uvicorn, "service:app"], directory, env), port, file, env) as both:
        yield both


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The example as it is: Veneer checks tokens itself."""
    with started(tmp_path_factory.mktemp("checking"), policies(NAME)) as both:
        yield both


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With the page's other identity: Veneer asks the service whose a token is."""
    directory = tmp_path_factory.mktemp("asking")
    with started(directory, asking_policies(directory)) as both:
        yield both


@pytest.fixture(params=["checking", "asking"])
def service(request: pytest.FixtureRequest) -> Running:
    running: Running = request.getfixturevalue(request.param)
    return running


def asking_policies(directory: Path) -> Path:
    (asked,) = blocks_of_page(NAME, "yaml")
    own = policies(NAME).read_text("utf-8")
    start, end = own.index("identities:"), own.index("routes:")
    file = directory / "policies.yaml"
    # A second rather than the page's five: the test waits for it.
    file.write_text(own[:start] + asked.replace("lasts: 5s", "lasts: 1s") + own[end:], "utf-8")
    return file


tokens_made = count()


def fresh(user: str, tenant: str, **claims: Any) -> str:
    """A token of its own, as a login gives one."""
    return token(sub=user, tenant=tenant, **{**GOOD, "jti": f"{next(tokens_made)}", **claims})


def fields(text: str | None) -> dict[str, str]:
    return {} if text is None else {"Authorization": f"Bearer {text}"}


def name_of(tenant: str, text: str) -> bytes:
    """A project's name, by which the tenant can be told."""
    return json.dumps({"name": f"<{tenant}> {text}"}).encode()


def created(service: Running, who: str, tenant: str, text: str = "first") -> int:
    answer = service.through("POST", "/projects", fields(who) | JSON, name_of(tenant, text))
    assert answer.status == 201
    return int(json.loads(answer.body)["id"])


def zipf(random: Random, values: list[str]) -> str:
    """The first the most often, the second half as often, and so on."""
    return random.choices(values, [1 / rank for rank in range(1, len(values) + 1)])[0]


@pytest.mark.quick
def test_most_reads_are_hits(service: Running) -> None:
    random = Random(16)
    tenants = [f"tenant-{number}" for number in range(4)]
    people = [(tenant, fresh(f"user-{number}", tenant)) for tenant in tenants for number in range(5)]
    owned = {tenant: [created(service, fresh("boss", tenant), tenant) for _ in range(25)] for tenant in tenants}
    reads: list[Answer] = []
    for _ in range(3000):
        tenant, who = random.choice(people)
        project = f"/projects/{zipf(random, list(map(str, owned[tenant])))}"
        page = zipf(random, ["/projects", "/projects?page=1", "/projects?page=2", "/projects?page=3"])
        if random.random() < 0.03:
            content = name_of(tenant, f"renamed {random.random()}")
            method, target = random.choice((("PUT", project), ("PUT", project), ("POST", "/projects")))
            assert service.through(method, target, fields(who) | JSON, content).status in {200, 201}
        else:
            path = random.choices([project, page, "/report", "/me"], [55, 25, 10, 10])[0]
            reads.append(service.through("GET", path, fields(who)))
            assert reads[-1].status == 200
    assert hit_rate(reads) > 0.8


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token. `revoked`: the service no longer takes it, which nobody told the proxy."""

    kind: str
    tenant: str
    token: str | None

    @property
    def revoked(self) -> bool:
        return self.kind == "revoked"


MAKE: dict[str, Callable[[str, str], str | None]] = {
    "good": fresh,
    "good too": fresh,
    "revoked": fresh,
    "expired": lambda user, tenant: fresh(user, tenant, exp=1_000_000_000),
    "not yet": lambda user, tenant: fresh(user, tenant, nbf=3_900_000_000),
    "forged": lambda user, tenant: token(OTHER_SECRET, sub=user, tenant=tenant, jti="f", **GOOD),
    "of another issuer": lambda user, tenant: fresh(user, tenant, iss="other"),
    "for another audience": lambda user, tenant: fresh(user, tenant, aud="other"),
    "tampered": lambda user, tenant: tampered(fresh(user, "nobody"), tenant=tenant),
    "unsigned": lambda user, tenant: unsigned(sub=user, tenant=tenant, jti="u", **GOOD),
    "of no tenant": lambda user, _tenant: token(sub=user, jti="n", **GOOD),
    "no token": lambda _user, _tenant: None,
}
STEP = st.tuples(
    st.sampled_from(sorted(MAKE)),
    st.sampled_from(["ann", "bob"]),
    st.integers(0, 2),
    st.sampled_from(["list", "page", "own", "foreign", "report", "me", "create", "rename", "rename foreign", "delete"]),
)
runs = count()


@pytest.mark.quick
@settings(max_examples=50, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, min_size=5, max_size=25))
def test_nobody_sees_a_byte_of_another_tenant(service: Running, steps: list[tuple[str, str, int, str]]) -> None:
    """Each answer is the service's own of that moment; what a revoked token gets may be older, and is its tenant's."""
    run = next(runs)
    tenants = [f"tenant-{number}-of-run-{run}" for number in range(3)]
    owned = {tenant: created(service, fresh("boss", tenant), tenant) for tenant in tenants}
    callers: dict[tuple[str, str, str], Caller] = {}
    for kind, user, number, what in steps:
        tenant, other = tenants[number], tenants[number - 1]
        caller = callers.get((kind, user, tenant))
        if caller is None:
            caller = callers[kind, user, tenant] = Caller(kind, tenant, MAKE[kind](user, tenant))
            if caller.revoked:  # it has been good before, and was taken back behind the proxy's back
                assert service.through("GET", "/projects", fields(caller.token)).status == 200
                assert service.straight("POST", "/logout", fields(caller.token)).status == 204
        judged(service, caller, what, owned[tenant], owned[other])


def judged(service: Running, caller: Caller, what: str, own: int, foreign: int) -> None:
    who, content = fields(caller.token), name_of(caller.tenant, f"again {next(tokens_made)}")
    writes = {
        "create": ("POST", "/projects"),
        "rename": ("PUT", f"/projects/{own}"),
        "rename foreign": ("PUT", f"/projects/{foreign}"),
        "delete": ("DELETE", f"/projects/{own}"),
    }
    reads = {
        "list": "/projects",
        "page": "/projects?page=1",
        "own": f"/projects/{own}",
        "foreign": f"/projects/{foreign}",
        "report": "/report",
        "me": "/me",
    }
    if what in writes:
        method, path = writes[what]
        answer = service.through(method, path, who | JSON, None if method == "DELETE" else content)
        assert (answer.status < 300) <= caller.kind.startswith("good")
    else:
        answer = service.through("GET", reads[what], who)
        straight = service.straight("GET", reads[what], who)
        if not caller.revoked:
            assert said(answer) == said(straight), (caller, what)
            assert (answer.status == 401) >= (not caller.kind.startswith("good"))
    named = set(re.findall(rb"tenant-\d-of-run-\d+", answer.body))
    assert named <= {caller.tenant.encode()}, (caller, what)


@pytest.mark.quick
def test_who_signs_out_keeps_what_is_stored_for_the_tenant_until_the_token_ends(checking: Running) -> None:
    """As the page says: a token proves its tenant until it expires, and nothing that is not stored comes of it."""
    service, who, colleague = checking, fresh("ann", "east"), fresh("abe", "east")
    number = created(service, who, "east")
    for one in (who, colleague):
        service.through("GET", f"/projects/{number}", fields(one))
    assert service.through("POST", "/logout", fields(who)).status == 204
    assert service.through("GET", f"/projects/{number}", fields(who)).hit
    assert service.through("GET", f"/projects/{created(service, colleague, 'east')}", fields(who)).status == 401


@pytest.mark.quick
def test_who_signs_out_gets_nothing_more_where_the_service_is_asked(asking: Running) -> None:
    who = fresh("ann", "west")
    path = f"/projects/{created(asking, who, 'west')}"
    assert [asking.through("GET", path, fields(who)).status for _ in range(2)] == [200, 200]
    assert asking.through("POST", "/logout", fields(who)).status == 204
    assert wait_until(lambda: asking.through("GET", path, fields(who)).status == 401, timeout_s=20)
    assert asking.through("GET", path, fields(fresh("abe", "west"))).hit


def test_the_page_shows_what_it_says(tmp_path: Path) -> None:
    page_shows(NAME, tmp_path)
