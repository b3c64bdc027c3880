"""The container files, as far as they can be checked without an engine."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.support.dockerfile import context_copies, final_stage, parse_dockerfile, sent_to_builder

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = ("Dockerfile.proxy", "Dockerfile.backend")


class Build(msgspec.Struct, forbid_unknown_fields=True):
    context: str
    dockerfile: str


class Dependency(msgspec.Struct, forbid_unknown_fields=True):
    condition: str


class Healthcheck(msgspec.Struct, forbid_unknown_fields=True):
    test: list[str] = []
    interval: str = ""
    timeout: str = ""
    retries: int = 0
    disable: bool = False


class Service(msgspec.Struct, forbid_unknown_fields=True):
    image: str = ""
    build: Build | None = None
    environment: dict[str, str] = {}
    entrypoint: list[str] = []
    command: list[str] = []
    ports: list[str] = []
    volumes: list[str] = []
    depends_on: dict[str, Dependency] = {}
    healthcheck: Healthcheck | None = None
    stop_grace_period: str = ""
    restart: str = ""


class Compose(msgspec.Struct, forbid_unknown_fields=True):
    services: dict[str, Service]
    volumes: dict[str, None]


@pytest.fixture(scope="module")
def compose() -> Compose:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    return msgspec.convert(yaml.safe_load(text), Compose)


def test_the_four_parts_and_one_preparation_are_there(compose: Compose) -> None:
    assert set(compose.services) == {"postgres", "redis", "prepare", "backend", "proxy"}


def test_only_the_proxys_port_is_published(compose: Compose) -> None:
    published = {name: service.ports for name, service in compose.services.items() if service.ports}
    assert published == {"proxy": ["8080:8080"]}


def test_starts_are_ordered_by_health(compose: Compose) -> None:
    order = {name: {on: d.condition for on, d in one.depends_on.items()} for name, one in compose.services.items()}
    assert order["prepare"] == {"postgres": "service_healthy"}
    assert order["backend"] == {"postgres": "service_healthy", "prepare": "service_completed_successfully"}
    assert order["proxy"] == {"backend": "service_healthy", "redis": "service_healthy"}


def test_whatever_is_waited_for_can_report_its_health(compose: Compose) -> None:
    awaited = {
        on
        for one in compose.services.values()
        for on, dependency in one.depends_on.items()
        if dependency.condition == "service_healthy"
    }
    for name in awaited:
        service = compose.services[name]
        if service.build is not None:
            names = {one.name for one in final_stage(parse_dockerfile(ROOT / service.build.dockerfile))}
            assert "HEALTHCHECK" in names, name
        else:
            assert service.healthcheck is not None, name
            assert service.healthcheck.test, name


def test_builds_name_dockerfiles_that_exist(compose: Compose) -> None:
    built = {service.build.dockerfile for service in compose.services.values() if service.build}
    assert built == set(DOCKERFILES)
    assert all((ROOT / name).is_file() for name in built)


def test_named_volumes_are_declared_and_used(compose: Compose) -> None:
    used = {volume.partition(":")[0] for service in compose.services.values() for volume in service.volumes}
    assert used == set(compose.volumes)


def test_addresses_inside_name_services_of_the_file(compose: Compose) -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    hosts = set(re.findall(r"(?:http|redis|@)(?:://)?([a-z]+):\d+", text))
    assert {"backend", "redis", "postgres"} <= hosts <= {*compose.services, "localhost"}


def test_proxy_and_backend_have_the_same_secret(compose: Compose) -> None:
    given = {name: compose.services[name].environment["ETTER_TOKEN_SECRET"] for name in ("backend", "proxy")}
    assert given["backend"] == given["proxy"]
    # Without one, or with an empty one, nothing starts: a secret that stands in a public file is none.
    assert given["proxy"].startswith("${ETTER_TOKEN_SECRET:?")


def test_redis_may_not_evict_the_invalidation_log(compose: Compose) -> None:
    command = compose.services["redis"].command
    assert command[command.index("--maxmemory-policy") + 1] == "volatile-lru"


@pytest.mark.parametrize("name", DOCKERFILES)
class TestDockerfile:
    def test_everything_copied_exists_and_reaches_the_builder(self, name: str) -> None:
        copies = context_copies(parse_dockerfile(ROOT / name))
        sources = [source for sources, _ in copies for source in sources]
        assert sources
        for source in sources:
            assert (ROOT / source).exists(), source
            assert sent_to_builder(source, ROOT / ".dockerignore"), source

    def test_the_image_is_slim_and_carries_no_build_tools(self, name: str) -> None:
        instructions = parse_dockerfile(ROOT / name)
        stages = [one.text.split() for one in instructions if one.name == "FROM"]
        images = [words[0] for words in stages if words[0] not in {words[-1] for words in stages if len(words) == 3}]
        assert len(images) == 2
        assert all(re.fullmatch(r"python:3\.1[1-4]-slim", image) for image in images), images
        runs = " ".join(one.text for one in final_stage(instructions) if one.name == "RUN")
        assert not re.search(r"apt|pip|gcc|build-essential", runs)

    def test_it_runs_as_an_ordinary_user(self, name: str) -> None:
        instructions = final_stage(parse_dockerfile(ROOT / name))
        users = [one.text for one in instructions if one.name == "USER"]
        assert len(users) == 1
        assert users[0] not in {"root", "0"}
        names = [one.name for one in instructions]
        assert names.index("USER") < names.index("ENTRYPOINT")
        assert names.index("USER") > max(index for index, one in enumerate(names) if one == "COPY")

    def test_the_health_check_asks_the_port_that_the_command_opens(self, name: str) -> None:
        instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / name))}
        asked = re.search(r"/dev/tcp/127\.0\.0\.1/(\d+)", instructions["HEALTHCHECK"].text)
        assert asked is not None
        assert f":{asked[1]}" in instructions["CMD"].text

    @pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (None, False)])
    async def test_the_health_check_tells_a_healthy_server_from_others(
        self, name: str, status: int | None, healthy: bool
    ) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n")
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (status or 0))
            await writer.drain()
            writer.close()

        instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / name))}
        command = json.loads(instructions["HEALTHCHECK"].text.partition("CMD ")[2])
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if status is None:
            server.close()
        words = [re.sub(r"(/dev/tcp/127\.0\.0\.1/)\d+", rf"\g<1>{port}", word) for word in command]
        check = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
        assert (await check.wait() == 0) is healthy
        server.close()
        await server.wait_closed()

    def test_bytecode_is_made_before_the_image_is_done(self, name: str) -> None:
        instructions = final_stage(parse_dockerfile(ROOT / name))
        made = [index for index, one in enumerate(instructions) if one.name == "RUN" and "compileall" in one.text]
        users = [index for index, one in enumerate(instructions) if one.name == "USER"]
        assert made
        assert made[0] < users[0]

    def test_the_module_that_starts_is_in_the_image(self, name: str) -> None:
        instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / name))}
        words = instructions["ENTRYPOINT"].words() + instructions["CMD"].words()
        package = words[words.index("-m") + 1]
        assert f"./{package}" in [destination for _, destination in context_copies(parse_dockerfile(ROOT / name))]


def test_the_proxys_image_takes_the_compiled_form_from_a_stage_that_had_a_compiler() -> None:
    instructions = parse_dockerfile(ROOT / "Dockerfile.proxy")
    stage = next(one.stage for one in instructions if one.name == "FROM" and one.text.endswith(" AS compile"))
    runs = [one.text for one in instructions if one.stage == stage and one.name == "RUN"]
    assert "gcc" in runs[0]
    target = runs[-1].removeprefix("/opt/venv/bin/python -m veneer.compiling ")
    assert f"--from=compile {target} ./" in [one.text for one in final_stage(instructions) if one.name == "COPY"]


def test_the_ignore_file_keeps_everything_else_out() -> None:
    for source in (".git", ".veneer", "devstack", ".env", "pyproject.toml"):
        assert not sent_to_builder(source, ROOT / ".dockerignore"), source
