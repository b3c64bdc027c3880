"""The container files, as far as they can be checked without an engine."""

from __future__ import annotations

import asyncio
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.support.dockerfile import context_copies, final_stage, parse_dockerfile, sent_to_builder
from veneer.policy.load import default_policy, load_policy

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
    read_only: bool = False
    cap_drop: list[str] = []
    security_opt: list[str] = []
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


def test_named_volumes_are_declared_and_used_and_mounted_files_are_there(compose: Compose) -> None:
    used = {volume.partition(":")[0] for service in compose.services.values() for volume in service.volumes}
    files = {name for name in used if name.startswith("./")}
    assert used - files == set(compose.volumes)
    assert files
    assert all((ROOT / name).is_file() for name in files)


def test_our_own_containers_may_write_nothing_and_have_no_rights(compose: Compose) -> None:
    for name in ("backend", "proxy"):
        service = compose.services[name]
        assert service.read_only, name
        assert service.cap_drop == ["ALL"], name
        assert service.security_opt == ["no-new-privileges:true"], name


def test_the_shipped_policies_are_where_the_image_looks_for_them(compose: Compose) -> None:
    instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / "Dockerfile.proxy"))}
    told = dict(word.split("=", 1) for word in instructions["ENV"].words())
    assert compose.services["proxy"].volumes == [f"./policies.yaml:{told['VENEER_POLICIES']}:ro"]


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

    def test_it_runs_as_an_ordinary_user_by_number(self, name: str) -> None:
        instructions = final_stage(parse_dockerfile(ROOT / name))
        users = [one.text for one in instructions if one.name == "USER"]
        # A name tells Kubernetes nothing: runAsNonRoot refuses such an image.
        assert len(users) == 1
        assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", users[0])
        names = [one.name for one in instructions]
        assert names.index("USER") < names.index("ENTRYPOINT")
        assert names.index("USER") > max(index for index, one in enumerate(names) if one == "COPY")

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

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if status is None:
            server.close()
        check = await asyncio.create_subprocess_exec(
            *health_check(name, port),
            env={"PATH": "/usr/bin:/bin", "VENEER_ADMIN": f"127.0.0.1:{port}"},
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert (await check.wait() == 0) is healthy
        server.close()
        await server.wait_closed()

    def test_the_command_that_starts_is_one_of_the_package(self, name: str) -> None:
        instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / name))}
        (command,) = instructions["ENTRYPOINT"].words()
        folder = name.removeprefix("Dockerfile.")
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text("utf-8"))["project"]
        assert command in project["scripts"]

    def test_the_health_check_asks_the_port_that_the_command_opens(self, name: str) -> None:
        instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / name))}
        told = f"{instructions['ENV'].text} {instructions['CMD'].text}"
        port = "7071" if name == "Dockerfile.backend" else "9090"
        assert f":{port}" in told
        assert f"/{port}" in instructions["HEALTHCHECK"].text or f"127.0.0.1:{port}" in HEALTHY.read_text("utf-8")


HEALTHY = ROOT / "deploy" / "image" / "veneer-healthy"


def health_check(name: str, port: int) -> list[str]:
    """The health check's command, asking at another port and on this machine."""
    instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / name))}
    words = msgspec.json.decode(instructions["HEALTHCHECK"].text.partition("CMD ")[2], type=list[str])
    words = [str(HEALTHY) if word == HEALTHY.name else word for word in words]
    return [re.sub(r"(/dev/tcp/127\.0\.0\.1/)\d+", rf"\g<1>{port}", word) for word in words]


@pytest.mark.parametrize("listen", ["127.0.0.1:{}", ":{}", "0.0.0.0:{}", "[::1]:{}", "[::]:{}"])
@pytest.mark.parametrize("told", ["VENEER_ADMIN", "VENEER_PROBES"])
async def test_the_proxys_health_check_follows_its_admin_address(listen: str, told: str) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    host = "::1" if "::" in listen else "127.0.0.1"
    server = await asyncio.start_server(answer, host, 0)
    port = server.sockets[0].getsockname()[1]
    # Where there are both, /health is asked of the one that is for probes.
    env = {"PATH": "/usr/bin:/bin", "VENEER_ADMIN": "off", told: listen.format(port)}
    check = await asyncio.create_subprocess_exec(str(HEALTHY), "/ready", env=env)
    assert await check.wait() == 0
    assert asked == [b"GET /ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"]
    server.close()
    await server.wait_closed()


def test_the_policy_in_the_image_is_right_and_changes_nothing() -> None:
    shipped = load_policy(ROOT / "deploy" / "image" / "policies.yaml")
    assert not shipped.is_empty
    assert not shipped.warnings
    ours, default = (replace(one, version_digest="", is_empty=True, files=()) for one in (shipped, default_policy()))
    assert replace(ours, matcher=default.matcher) == default
    assert [route.name for route in shipped.routes] == [route.name for route in default_policy().routes]


def test_the_docs_say_what_the_image_is_told() -> None:
    instructions = {one.name: one for one in final_stage(parse_dockerfile(ROOT / "Dockerfile.proxy"))}
    told = dict(word.split("=", 1) for word in instructions["ENV"].words())
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    said = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]*?)`? \|", page, re.MULTILINE))
    assert {name: value for name, value in told.items() if name.startswith("VENEER_")} == {
        name: value for name, value in said.items() if value
    }


def test_the_proxys_image_takes_its_wheel_from_a_stage_that_had_a_compiler() -> None:
    instructions = parse_dockerfile(ROOT / "Dockerfile.proxy")
    stage = next(one.stage for one in instructions if one.name == "FROM" and one.text.endswith(" AS wheel"))
    runs = [one.text for one in instructions if one.stage == stage and one.name == "RUN"]
    assert "gcc" in runs[0]
    assert "HATCH_BUILD_HOOK_ENABLE_CUSTOM=1" in runs[-1]
    assert "--from=wheel /wheels /wheels" in [one.text for one in instructions if one.name == "COPY"]
    assert "--from=installed /opt/venv /opt/venv" in [
        one.text for one in final_stage(instructions) if one.name == "COPY"
    ]


def test_the_ignore_file_keeps_everything_else_out() -> None:
    for source in (".git", ".veneer", "devstack", ".env", "pyproject.toml", "policies.yaml", "deploy/helm"):
        assert not sent_to_builder(source, ROOT / ".dockerignore"), source
