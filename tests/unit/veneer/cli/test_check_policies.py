import argparse
from pathlib import Path

import msgspec
import pytest

from veneer.cli.check_policies import Checked, PolicyProblem, check_policies
from veneer.cli.flags import add_check_policies_flags


def run(*argv: str, environment: dict[str, str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    add_check_policies_flags(parser)
    return check_policies(parser.parse_args(argv), environment or {})


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text("routes: [{name: a, match: {path: /a}, cache: {ttl: 1h}}]\n")
    return path


def test_a_right_file_is_said_to_be_right(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(good)) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{good}: right (1 routes")
    assert err == ""


def test_every_file_is_reported_on(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("routez: []\n")
    assert run(str(bad), str(good)) == 1
    out, err = capsys.readouterr()
    assert "good.yaml: right" in out
    assert 'bad.yaml:1:1: routez: unknown key; did you mean "routes"?' in err


def test_the_policy_can_be_shown(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--show", "--upstream", "http://b:1", str(good)) == 0
    assert (
        "upstream backend http://b:1\nroute a: any method /a -> backend\n  cache.ttl_s: 3600" in capsys.readouterr().out
    )


def test_the_environment_counts(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(good), environment={"COMPRESSION_LEVEL": "x"}) == 1
    assert "environment: COMPRESSION_LEVEL:" in capsys.readouterr().err


def test_warnings_are_printed_and_the_file_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "loud.yaml"
    path.write_text("routes:\n  - {name: a, match: {path: /a}, cache: {share_authorized: true}}\n")
    assert run(str(path)) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}: right (1 routes, 0 rate limits, 1 warnings, ")
    assert err.startswith(f"warning: {path}:2:42: routes[0].cache.share_authorized: what the backend answers one user")


def test_what_happens_without_redis_is_told_where_there_is_one(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(good)) == 0
    assert "Redis" not in capsys.readouterr().out
    assert run(str(good), environment={"REDIS_URL": "redis://127.0.0.1:6379/0"}) == 0
    out = capsys.readouterr().out.splitlines()
    (line,) = (line for line in out if line.startswith("  a "))
    assert line.split(maxsplit=1) == ["a", "forwarded  refused, 503  -"]


def test_json_gives_each_problem_its_place(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nroutez: []\n")
    assert run("--json", str(good), str(bad)) == 1
    out, err = capsys.readouterr()
    right, wrong = msgspec.json.decode(out, type=list[Checked])
    assert err == ""
    assert (right.right, right.routes, right.problems, right.version != "") == (True, 1, (), True)
    assert wrong.problems == (PolicyProblem(str(bad), 2, 1, "routez", "unknown key", 'did you mean "routes"?'),)
    assert run("--json", str(good)) == 0
