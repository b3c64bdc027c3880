"""Every pair of write and read through the real proxy: no read shows what was there before the write.

Once with the shipped policies, once with a policy that leaves all but who may share to the backend.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from devstack.backend import BackendServer
from devstack.callers import bearer, development_settings, proxy_environment
from devstack.proxy import SHIPPED_POLICIES, ProxyOptions, ProxyServer
from etter.settings import Settings
from tests.support.stack_fixtures import starting_proxies

NewProxy = Callable[[ProxyOptions], ProxyServer]
SETTINGS = development_settings()
PLATFORM = bearer(SETTINGS, 1, 1, "platform")
BY_BACKEND = """
version: 1
identities:
  member:
    jwt:
      keys: [{secret_env: ETTER_TOKEN_SECRET}]
      algorithms: [HS256]
      values: {company: company, role: role, user: sub}
routes:
  - name: projects
    match: {path: "/api/etter/projects", methods: [GET]}
    cache: {share: identity.user, ttl: 5m}
  - name: all
    match: {path: "/api/etter/{rest:path}", methods: [GET]}
    cache: {share: [identity.company, identity.role], ttl: 5m}
"""
READS = {
    "master": "master_companies?page_size=100",
    "company": "companies/7",
    "users": "users?page_size=100",
    "user": "users/42",
    "names": "users?page_size=100&fields=id,name",
    "colleague": "users/41",
    "completion": "auto_complete?type=user&q=e",
    "completion of the new name": "auto_complete?type=user&q=renamed",
    "completion of other names": "auto_complete?type=user&q=xy",
    "completion of an address": "auto_complete?type=user&q=new.@",
    "found": "users?q=renamed",
    "by name": "users?sort=name&page_size=100",
    "idle": "users?is_active=false",
    "tasks": "auto_complete?type=task&q=a",
    "runs of user": "users/42/history",
    "workflows": "workflows",
    "workflow": "workflows/{workflow}",
    "dashboard": "get_chro_data",
    "history": "history?page_size=100&sort=-id",
    "documents": "documents?page_size=100",
    "document": "documents/{document}",
    "roles": "role_adjacency",
}


@dataclass(frozen=True, slots=True)
class Write:
    """A change, the reads in which it shows, and one that has nothing to do with it."""

    method: str
    path: str
    body: Callable[[int], Mapping[str, object]]
    shows_in: frozenset[str]
    leaves: str
    platform: bool = False


def nothing(_tag: int) -> Mapping[str, object]:
    return {}


USER_PAGES = frozenset({"users", "user"})
COLLEAGUE_PAGES = frozenset({"users", "colleague"})
WRITES = {
    "user renamed": Write(
        "PATCH",
        "users/42",
        lambda tag: {"name": f"Renamed {tag}"},
        USER_PAGES | {"names", "runs of user", "workflow", "completion of the new name", "found", "by name"},
        "completion of other names",
    ),
    "user promoted": Write("PATCH", "users/42", lambda tag: {"title": f"Title {tag}"}, USER_PAGES, "runs of user"),
    "colleague deactivated": Write(
        "PATCH", "users/41", lambda tag: {"is_active": False}, COLLEAGUE_PAGES | {"company", "idle"}, "user"
    ),
    "colleague replaced": Write(
        "PUT",
        "users/41",
        lambda tag: {"email": f"new.{tag}@company7.example", "name": "Eve New", "title": "T"},
        COLLEAGUE_PAGES | {"company", "idle"},
        "master",
    ),
    "user created": Write(
        "POST",
        "users",
        lambda tag: {"email": f"e.{tag}@company7.example", "name": "Aa Emma", "title": "T"},
        frozenset({"users", "names", "company", "completion", "by name"}),
        "document",
    ),
    "user deleted": Write(
        "DELETE", "users/{leaver}", nothing, frozenset({"users", "company", "dashboard", "history"}), "document"
    ),
    "company renamed": Write(
        "PATCH",
        "companies/7",
        lambda tag: {"name": f"Renamed {tag}"},
        frozenset({"master", "company", "user"}),
        "tasks",
    ),
    "company moved": Write(
        "PATCH",
        "companies/7",
        lambda tag: {"country": f"Country {tag}"},
        frozenset({"master", "company"}),
        "user",
    ),
    "run recorded": Write(
        "POST",
        "workflows/{workflow}/history",
        lambda tag: {"status": "failed"},
        frozenset({"workflow", "dashboard", "runs of user", "history"}),
        "users",
    ),
    "workflow renamed": Write(
        "PATCH",
        "workflows/{workflow}",
        lambda tag: {"name": f"Renamed {tag}"},
        frozenset({"workflow", "workflows", "dashboard", "runs of user"}),
        "users",
        platform=True,
    ),
    "score validated": Write(
        "PATCH", "chro_data/{entry}", lambda tag: {"validated_score": tag % 100}, frozenset({"dashboard"}), "workflow"
    ),
    "document changed": Write(
        "PATCH",
        "documents/{document}",
        lambda tag: {"title": f"Renamed {tag}"},
        frozenset({"documents", "document"}),
        "users",
    ),
    "document created": Write(
        "POST", "documents", lambda tag: {"title": "Second", "body": "x"}, frozenset({"documents"}), "document"
    ),
    "document deleted": Write("DELETE", "documents/{document}", nothing, frozenset({"documents", "document"}), "users"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    data: object
    cache_status: str

    @property
    def hit(self) -> bool:
        return "; hit" in self.cache_status


class Etter:
    """Asks the same of the proxy and of the backend behind it."""

    def __init__(self, session: aiohttp.ClientSession, backend: str, proxy: str) -> None:
        self._session = session
        self._bases = {"backend": backend, "proxy": proxy}
        self.tag = URL(proxy).port or 0  # makes each run's changes differ from the last run's
        self.member = self.caller(42, 7)

    def caller(self, user: int, company: int) -> dict[str, str]:
        """The fields of a member of a company."""
        return bearer(SETTINGS, user, company)

    async def ask(
        self,
        base: str,
        path: str,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        url = f"{self._bases[base]}/api/etter/{path}"
        async with self._session.request(
            method, url, json=body, headers=self.member if headers is None else headers
        ) as response:
            answer = json.loads(await response.read())
            return Answer(response.status, answer.get("data"), response.headers.get("Cache-Status", ""))

    async def samples(self) -> dict[str, object]:
        """Rows of company 7 to read and write: the latest run's workflow, a document, a dashboard entry."""
        runs: object = (await self.ask("backend", "users/42/history")).data
        documents: object = (await self.ask("backend", "documents")).data
        board: object = (await self.ask("backend", "get_chro_data")).data
        history: object = (await self.ask("backend", "history?page_size=100&sort=-id")).data
        assert isinstance(runs, list)
        assert isinstance(documents, dict)
        assert isinstance(board, dict)
        assert isinstance(history, dict)
        leaver = next(run["user_id"] for run in history["items"] if run["user_id"] not in {41, 42})
        return {
            "workflow": runs[0]["workflow"]["id"],
            "document": documents["items"][0]["id"],
            "entry": board["lines"][0]["id"],
            "leaver": leaver,
        }


@asynccontextmanager
async def behind(backend: BackendServer, new_proxy: NewProxy, policies: Path) -> AsyncIterator[Etter]:
    proxy = new_proxy(ProxyOptions(backend.url, policies=policies, env=proxy_environment()))
    async with aiohttp.ClientSession() as session:
        yield Etter(session, backend.url, proxy.url)


@pytest.fixture(scope="module")
def by_backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Policies that say who may share; what is stale after a write is the backend's to say."""
    path = tmp_path_factory.mktemp("policies") / "by-backend.yaml"
    path.write_text(BY_BACKEND, "utf-8")
    return path


@pytest.fixture(scope="module", params=["by the backend's own words", "with the shipped policies"])
def shared_proxy(
    request: pytest.FixtureRequest,
    backend_server: BackendServer,
    tmp_path_factory: pytest.TempPathFactory,
    by_backend: Path,
) -> Iterator[ProxyServer]:
    """A proxy for all tests that need no other: each begins with an empty one."""
    policies = SHIPPED_POLICIES if "shipped" in str(request.param) else by_backend
    with starting_proxies(tmp_path_factory.mktemp("shared")) as start:
        yield start(ProxyOptions(backend_server.url, policies=policies, env=proxy_environment()))


@pytest.fixture
async def etter(backend_server: BackendServer, shared_proxy: ProxyServer) -> AsyncIterator[Etter]:
    await asyncio.to_thread(shared_proxy.purge, {"everything": True})
    async with aiohttp.ClientSession() as session:
        yield Etter(session, backend_server.url, shared_proxy.url)


async def test_every_write_reaches_every_read(etter: Etter) -> None:
    for name, write in WRITES.items():
        rows = await etter.samples()
        before = {}
        for read, path in READS.items():
            await etter.ask("proxy", path.format(**rows))
            before[read] = await etter.ask("proxy", path.format(**rows))
            assert before[read].hit, f"{read} is not stored: {before[read].cache_status}"
        headers = PLATFORM if write.platform else None
        written = await etter.ask("proxy", write.path.format(**rows), write.method, write.body(etter.tag), headers)
        assert written.status in {200, 201}, name
        for read, path in READS.items():
            after = await etter.ask("proxy", path.format(**rows))
            straight = await etter.ask("backend", path.format(**rows))
            assert after.data == straight.data, f"{name} is not shown by {read}"
            if read in write.shows_in:
                assert after.data != before[read].data, f"{name} was expected to change {read}"


async def test_a_write_leaves_the_rest_stored(
    backend_server: BackendServer, new_proxy: NewProxy, by_backend: Path
) -> None:
    async with behind(backend_server, new_proxy, by_backend) as etter:
        for name, write in WRITES.items():
            rows = await etter.samples()
            path = READS[write.leaves].format(**rows)
            await etter.ask("proxy", path)
            headers = PLATFORM if write.platform else None
            await etter.ask("proxy", write.path.format(**rows), write.method, write.body(etter.tag), headers)
            assert (await etter.ask("proxy", path)).hit, f"{name} also dropped {write.leaves}"


async def test_a_write_leaves_the_pages_of_other_companies_under_its_target(
    backend_server: BackendServer, new_proxy: NewProxy, by_backend: Path
) -> None:
    for policies, stays in ((SHIPPED_POLICIES, True), (by_backend, False)):
        async with behind(backend_server, new_proxy, policies) as etter:
            other = etter.caller(1, 1)
            for headers in (etter.member, other):
                await etter.ask("proxy", "documents", headers=headers)
                assert (await etter.ask("proxy", "documents", headers=headers)).hit
            written = await etter.ask("proxy", "documents", "POST", {"title": "Another", "body": "x"})
            assert written.status == 201
            assert not (await etter.ask("proxy", "documents")).hit
            assert (await etter.ask("proxy", "documents", headers=other)).hit is stays


async def test_companies_share_nothing_but_reference_data(etter: Etter) -> None:
    others = {
        "other company": etter.caller(1, 1),
        "the platform": bearer(SETTINGS, 42, 7, "platform"),
        "forged": bearer(Settings(etter_token_secret="another secret, and long enough for HS256"), 41, 7),
        "expired": bearer(SETTINGS, 41, 7, hours=-1),
        "nobody": {"Accept": "*/*"},
    }
    rows = await etter.samples()
    for read in ("users", "user", "company", "dashboard", "documents", "completion", "history", "workflow"):
        path = READS[read].format(**rows)
        await etter.ask("proxy", path)
        assert (await etter.ask("proxy", path)).hit
        for who, headers in others.items():
            answer = await etter.ask("proxy", path, headers=headers)
            straight = await etter.ask("backend", path, headers=headers)
            assert (answer.status, answer.data) == (straight.status, straight.data), f"{read} as {who}"
            assert not answer.hit, f"{read} as {who}"


async def test_colleagues_share_what_concerns_the_company(etter: Etter) -> None:
    await etter.ask("proxy", "users?page_size=3")
    assert (await etter.ask("proxy", "users?page_size=3", headers=etter.caller(41, 7))).hit


async def test_no_field_but_the_token_opens_what_is_stored(etter: Etter) -> None:
    """As the pass of former versions did, by itself, with another company's token, and with one that has expired."""
    fields = {"Etter-Company-Pass": "7.1.0123"}
    await etter.ask("proxy", "users?page_size=4", headers=etter.member | fields)
    assert (await etter.ask("proxy", "users?page_size=4", headers=etter.member | fields)).hit
    nobody: dict[str, str] = {}
    for headers in (nobody, bearer(SETTINGS, 41, 7, hours=-1)):
        answer = await etter.ask("proxy", "users?page_size=4", headers=headers | fields)
        assert (answer.status, answer.hit) == (401, False)
    other = await etter.ask("proxy", "users?page_size=4", headers=etter.caller(1, 1) | fields)
    assert (other.status, other.hit) == (200, False)


async def test_a_proxy_without_the_secret_shares_what_everybody_may_see(
    backend_server: BackendServer, new_proxy: NewProxy
) -> None:
    proxy = new_proxy(ProxyOptions(backend_server.url, SHIPPED_POLICIES, env={"ETTER_TOKEN_SECRET": ""}))
    async with aiohttp.ClientSession() as session:
        etter = Etter(session, backend_server.url, proxy.url)
        for path, hit in (("users", False), ("master_companies", True)):
            await etter.ask("proxy", path)
            answer = await etter.ask("proxy", path)
            assert (answer.status, answer.hit) == (200, hit)


async def test_companies_do_not_push_each_other_out(
    backend_server: BackendServer, new_proxy: NewProxy, tmp_path: Path
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(SHIPPED_POLICIES.read_text("utf-8") + "\nstores: {max_variants: 2}\n", "utf-8")
    async with behind(backend_server, new_proxy, policies) as etter:
        companies = [etter.caller(6 * company - 5, company) for company in range(1, 7)]
        for wanted_hit in (False, True):
            for headers in companies:
                assert (await etter.ask("proxy", "get_chro_data", headers=headers)).hit is wanted_hit


async def test_projects_are_never_stored(etter: Etter) -> None:
    for _ in range(3):
        assert not (await etter.ask("proxy", "projects")).hit


async def test_what_is_for_operators_ends_at_the_proxy(backend_server: BackendServer, new_proxy: NewProxy) -> None:
    proxy = new_proxy(ProxyOptions(backend_server.url, SHIPPED_POLICIES, env=proxy_environment()))
    async with aiohttp.ClientSession() as session:
        for path in ("metrics", "health/detailed", "openapi.json"):
            async with (
                session.get(f"{backend_server.url}/{path}") as straight,
                session.get(f"{proxy.url}/{path}") as got,
            ):
                assert (straight.status, got.status) == (200, 404)
        async with session.get(f"{proxy.url}/api/etter/health") as got:
            assert got.status == 200
            assert got.headers["X-Content-Type-Options"] == "nosniff"
