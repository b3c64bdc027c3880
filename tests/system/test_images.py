"""The images that `make images` has built, run as an engine runs them: read-only, without rights, as they say."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from devstack.backend import answers
from devstack.images import Image, read_image
from devstack.process import Launch, ManagedProcess, free_port
from tests.support.client import fetch
from tests.support.images import files_of, why_not, words_of
from tests.support.origin import answering, running_origin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nplain"

Start = Callable[[Image, Mapping[str, str], Sequence[str]], ManagedProcess]


def image(name: str) -> Image:
    found = read_image(name)
    reason = why_not() or (None if found else f"no image {name} here: make images builds it")
    if found is None or reason is not None:
        pytest.skip(reason or "")
    return found


@pytest.fixture
def proxy() -> Image:
    return image("veneer")


@pytest.fixture
def backend() -> Image:
    return image("etter")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[ManagedProcess] = []

    def start(image: Image, environment: Mapping[str, str], arguments: Sequence[str]) -> ManagedProcess:
        words = words_of(image, [*image.entrypoint, *arguments], environment)
        child = ManagedProcess(Launch("image", words, tmp_path / f"image{len(started)}.log"))
        started.append(child)
        child.start()
        return child

    yield start
    for child in started:
        child.stop()


def ran(
    image: Image, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    words = words_of(image, arguments, environment or {})
    return subprocess.run(words, capture_output=True, text=True, check=False)


def is_healthy(image: Image, environment: Mapping[str, str]) -> bool:
    assert image.health[0] == "CMD"
    return ran(image, *image.health[1:], environment=environment).returncode == 0


async def test_the_proxy_serves_with_nothing_but_the_address_of_a_service(proxy: Image, start: Start) -> None:
    listen, admin = free_port(), free_port()
    async with running_origin(answering(PLAIN)) as origin:
        told = {
            "VENEER_UPSTREAM": origin.url,
            "VENEER_LISTEN": f"127.0.0.1:{listen}",
            "VENEER_ADMIN": f"127.0.0.1:{admin}",
        }
        child = start(proxy, told, proxy.command)
        await asyncio.to_thread(child.wait_ready, lambda: answers(f"http://127.0.0.1:{admin}/health"))
        found = [await asyncio.to_thread(fetch, f"http://127.0.0.1:{listen}/a") for _ in range(2)]
        assert [(one.status, one.body, one.hit) for one in found] == [(200, b"plain", False), (200, b"plain", True)]
        assert await asyncio.to_thread(is_healthy, proxy, told)
        assert await asyncio.to_thread(child.stop)
        assert child.exit_code == 0
        assert not await asyncio.to_thread(is_healthy, proxy, told)
    assert "compiled" in child.log_text()


async def test_without_a_service_the_proxy_is_there_all_the_same(proxy: Image, start: Start) -> None:
    listen, admin = free_port(), free_port()
    told = {"VENEER_LISTEN": f"127.0.0.1:{listen}", "VENEER_ADMIN": f"127.0.0.1:{admin}"}
    child = start(proxy, told, proxy.command)
    await asyncio.to_thread(child.wait_ready, lambda: is_healthy(proxy, told))


async def test_several_workers_need_no_place_to_write(proxy: Image, start: Start, redis_url: str) -> None:
    listen, admin = free_port(), free_port()
    async with running_origin(answering(PLAIN)) as origin:
        told = {
            "VENEER_UPSTREAM": origin.url,
            "VENEER_LISTEN": f"127.0.0.1:{listen}",
            "VENEER_ADMIN": f"127.0.0.1:{admin}",
            "REDIS_URL": redis_url,
        }
        child = start(proxy, told, ["serve", "--workers", "2", "--redis", redis_url])
        await asyncio.to_thread(child.wait_ready, lambda: answers(f"http://127.0.0.1:{admin}/health"))
        assert (await asyncio.to_thread(fetch, f"http://127.0.0.1:{listen}/a")).body == b"plain"
        assert await asyncio.to_thread(child.stop, 20)
        assert child.exit_code == 0


def test_the_command_is_on_the_path_and_compiled(proxy: Image) -> None:
    done = ran(proxy, "veneer", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("veneer ")
    assert "compiled" in done.stdout


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("veneer", "opentelemetry.sdk, opentelemetry.exporter.otlp.proto.http, sentry_sdk, psycopg2"),
        ("etter", "opentelemetry.sdk, opentelemetry.exporter.otlp.proto.http, sentry_sdk"),
    ],
)
def test_the_extras_are_inside(name: str, modules: str) -> None:
    done = ran(image(name), "python", "-c", f"import {modules}")
    assert done.returncode == 0, done.stderr


STALE = """
import importlib.util, pathlib, site
for source in pathlib.Path(site.getsitepackages()[0]).rglob("*.py"):
    bytecode = pathlib.Path(importlib.util.cache_from_source(source))
    head = bytecode.read_bytes()[:16] if bytecode.exists() else b""
    # Flags (PEP 552): 1 is a hash of the source, and one that is not compared at each start.
    if head[4:8] != b"\\x01\\0\\0\\0" or head[8:] != importlib.util.source_hash(source.read_bytes()):
        print(source)
"""


@pytest.mark.parametrize("name", ["veneer", "etter"])
def test_bytecode_is_there_for_every_module_and_in_use(name: str) -> None:
    done = ran(image(name), "python", "-c", STALE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["veneer", "etter"])
def test_its_user_owns_nothing_and_can_install_nothing(name: str) -> None:
    found = image(name)
    uid, gid = map(int, found.user.split(":"))
    assert uid >= 1_000
    assert gid >= 1_000
    assert all(path.lstat().st_uid == 0 for path in files_of(found, "opt/venv/**/*"))
    assert ran(found, "python", "-m", "pip", "--version").returncode != 0
    assert ran(found, "touch", "/opt/venv/new").returncode != 0


def test_an_engine_that_knows_no_health_checks_finds_the_command_in_a_label(proxy: Image) -> None:
    assert Path(proxy.root, proxy.labels["veneer.healthcheck"].lstrip("/")).is_file()
    assert proxy.labels["veneer.healthcheck"].endswith(f"/{proxy.health[1]}")
    assert proxy.labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_backend_prepares_its_database_and_starts(backend: Image, start: Start, database_url: str) -> None:
    told = {"DATABASE_URL": database_url, "ETTER_TOKEN_SECRET": secrets.token_hex(32)}
    for words in (["etter.migrate"], ["etter.indexes", "apply"], ["etter.seed", "--size", "tiny"]):
        done = ran(backend, "python", "-m", *words, environment=told)
        assert done.returncode == 0, done.stderr
    port = free_port()
    child = start(backend, told, ["serve", "--listen", f"127.0.0.1:{port}"])
    child.wait_ready(lambda: answers(f"http://127.0.0.1:{port}/health"))
    here = [word.replace("/7071", f"/{port}") for word in backend.health[1:]]
    assert ran(backend, *here).returncode == 0
    assert child.stop()
    assert ran(backend, *here).returncode != 0
