"""One look at a running proxy, and exit statuses that scripts go by."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.veneer.cli.admin_stub import AdminStub
from veneer.admin.standing import (
    NodeLeaseView,
    RedisView,
    ReloadView,
    Standing,
    TargetView,
    UpstreamView,
    WorkerView,
)
from veneer.admin.views import Config, ConfigValue, Entries, Routes, RouteView, StoredView
from veneer.cli.main import main

Captured = pytest.CaptureFixture[str]
UP = UpstreamView("api", (TargetView("http://a", "up"),), 3, 20, 0, 0)
WELL = Standing(
    "ok", "1.2", "n0", "", 90.0, "abc", "p.yaml", ReloadView("changed", "then"), True, ("e", 1), (UP,),
    RedisView("redis://r", "reachable", ""), (NodeLeaseView("n0", 1.5, here=True),),
)  # fmt: skip


def told(value: object) -> bytes:
    return msgspec.json.encode(value)


def test_all_is_well(stub: AdminStub, capsys: Captured) -> None:
    stub.answer("GET /status", told(WELL))
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    for word in ("veneer 1.2, ok, for 1 m 30 s", "policy abc from p.yaml; last reload: changed", "3/20", "n0", "1.5 s"):
        assert word in said
    assert main(["status", "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Standing) == WELL


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "draining"}, "it is draining"),
        ({"lease_held": False}, "it has no lease"),
        ({"redis": RedisView("r", "gone", "not reached")}, "Redis is gone"),
        ({"upstreams": (UpstreamView("api", (TargetView("http://a", "down"),), 0, 1, 0, 0),)}, "http://a is down"),
        ({"reload": ReloadView("refused", error="p.yaml:3: no")}, "it has refused the policy file: p.yaml:3: no"),
        (
            {"workers": (WorkerView("w1", "n", "ok", "abc", "", ReloadView("refused", error="bad")),)},
            "worker w1 has refused",
        ),
    ],
)
def test_what_is_wrong_is_said_and_exits_with_1(
    stub: AdminStub, capsys: Captured, change: dict[str, object], says: str
) -> None:
    stub.answer("GET /status", told(msgspec.structs.replace(WELL, **change)))
    assert main(["status"]) == 1
    assert f"wrong: {says}" in capsys.readouterr().out.replace("upstream api: ", "")


def test_health_part_by_part(stub: AdminStub, capsys: Captured) -> None:
    part = {"status": "down", "duration_ms": 2.0, "detail": "refused"}
    stub.answer("GET /health/detailed", told({"status": "degraded", "parts": {"redis": part}}))
    assert main(["health"]) == 1
    assert "redis  down    2 ms  refused" in capsys.readouterr().out
    stub.answer("GET /ready", told({"status": "draining", "parts": {}}), status=503)
    stub.answer("GET /health", told({"status": "draining", "parts": {}}))
    assert (main(["health", "--ready"]), main(["health", "--live"])) == (1, 0)


def test_routes_in_a_table(stub: AdminStub, capsys: Captured) -> None:
    route = RouteView(
        "items", "p.yaml:4", "/items/{id}", ("GET", "HEAD"), ("v=1",), (), (), (), "api", "respect", "5m", "", (), "",
        ("item:{id}",), (), ("basic (10/1s)",), "strict",
    )  # fmt: skip
    stub.answer("GET /routes", told(Routes("abc", (route,))))
    assert main(["routes"]) == 0
    titles, row = capsys.readouterr().out.splitlines()
    assert titles.split() == ["route", "match", "cache", "ttl", "limits", "upstream", "tags", "at"]
    assert row.split() == [
        "items", "GET,HEAD", "/items/{id}", "?v=1", "respect", "5m", "basic", "(10/1s)", "api", "item:{id}", "p.yaml:4",
    ]  # fmt: skip
    assert main(["routes", "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Routes).routes == (route,)


def test_config_leaves_out_defaults_unless_asked(stub: AdminStub, capsys: Captured) -> None:
    values = (ConfigValue("a.b", "1", "default", ""), ConfigValue("c", "2", "file", "p.yaml:3"))
    stub.answer("GET /config", told(Config("abc", "p.yaml", (), 0, values)))
    assert main(["config"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["key  value  said by", "c    2      p.yaml:3"]
    assert main(["config", "--all"]) == 0
    assert "a.b  1      default" in capsys.readouterr().out
    assert main(["config", "--route", "a b"]) == 0
    assert stub.asked[-1][0] == "GET /config?route=a%20b"


def test_what_is_stored(stub: AdminStub, capsys: Captured) -> None:
    entry = StoredView(
        "memory", "h/a", 200, "fresh", 3.0, 57.0, "until", "stale", "", "1m by policy", True, {"accept-language": None},
        ("users",), {}, (), 2048, worker="w0",
    )  # fmt: skip
    found = Entries("/a", "r", "k", True, "hit", "", "", True, "asked", 1, (entry,))
    stub.answer("GET /entries", told(found))
    assert main(["stored", "/a?b=1", "-H", "Accept-Language: de"]) == 0
    said = capsys.readouterr().out
    for word in ("would get: hit", "memory w0", "1m by policy", "2.0 KB", "accept-language: none"):
        assert word in said
    assert stub.asked[-1][0] == "GET /entries?url=%2Fa%3Fb%3D1&header=Accept-Language%3A+de"
    nothing = msgspec.structs.replace(found, entries=(), found=0, note="look there", decision="miss")
    stub.answer("GET /entries", told(nothing))
    assert main(["stored", "/a"]) == 1
    assert "look there" in capsys.readouterr().out
