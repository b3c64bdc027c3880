"""Other files, variables and secrets in a policy file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from veneer.policy.including import MAX_DEPTH
from veneer.policy.load import load_policy, parse_policy
from veneer.policy.model import Policy
from veneer.policy.problems import PolicyError
from veneer.policy.render import render_policy
from veneer.policy.sources import Sources
from veneer.policy.watch import PolicySource, watch_file

ROUTE = "routes: [{{name: {0}, match: {{path: /{0}}}}}]\n"
HOLD = "included files hold upstreams, rate_limits, routes, warm, tests and include"


def problems(file: Path) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    return str(caught.value).replace(f"{file.parent}/", "").splitlines()


def parsed(text: str, folder: Path = Path("/"), **environment: str) -> Policy:
    return parse_policy(text, "p", sources=Sources(folder, environment))


def test_routes_of_included_files_come_first_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "p.yaml").write_text("include: [a.yaml, team/b.yaml]\n" + ROUTE.format("own"))
    (tmp_path / "a.yaml").write_text("rate_limits: {few: {rate: 1/1s}}\n" + ROUTE.format("a"))
    (tmp_path / "team" / "b.yaml").write_text(
        "include: [c.yaml]\nupstreams: {x: {url: http://x}}\n" + ROUTE.format("b")
    )
    (tmp_path / "team" / "c.yaml").write_text("version: 1\nwarm: [/c]\n" + ROUTE.format("c"))
    policy = load_policy(tmp_path / "p.yaml")
    assert [route.name for route in policy.routes] == ["a", "c", "b", "own", "default"]
    assert (list(policy.upstreams), list(policy.rate_limits), policy.warm) == (["x"], ["few"], ("/c",))
    assert [Path(file).name for file in policy.files] == ["a.yaml", "b.yaml", "c.yaml"]


def test_mistakes_are_told_with_the_file_they_are_in(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("include: [a.yaml, b.yaml, gone.yaml, c.yaml]\nupstreams: {x: {url: http://x}}\n")
    (tmp_path / "a.yaml").write_text("routes:\n  - name: a\n    match: {path: a}\n    cahce: {}\n")
    (tmp_path / "b.yaml").write_text("upstreams:\n  x: {url: http://y}\ndefaults: {etag: off}\n")
    (tmp_path / "c.yaml").write_text("routes: [\n")
    assert problems(tmp_path / "p.yaml") == [
        'p.yaml:1:27: include[2]: "gone.yaml" cannot be read: No such file or directory; name a file beside this one',
        "b.yaml:2:3: upstreams.x: given twice; the first is on line 2 of the file that includes this one; rename one",
        f"b.yaml:3:1: defaults: only the file that includes this one may say this; {HOLD}",
        'c.yaml:2:1: a value is missing here; write it, or close the "{" or "[" that was opened before',
    ]
    (tmp_path / "p.yaml").write_text("include: [a.yaml]\n")
    assert problems(tmp_path / "p.yaml") == ['a.yaml:4:5: routes[0].cahce: unknown key; did you mean "cache"?']


def test_circles_and_depth_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("include: [a.yaml]\n")
    (tmp_path / "a.yaml").write_text("include:\n  - ./p.yaml\n")
    assert problems(tmp_path / "p.yaml") == [
        'a.yaml:2:5: include[0]: "./p.yaml" includes itself, at the end; remove it'
    ]
    for number in range(MAX_DEPTH + 2):
        (tmp_path / f"{number}.yaml").write_text(f"include: [{number + 1}.yaml]\n")
    (report,) = problems(tmp_path / "0.yaml")
    assert report.startswith(f"{MAX_DEPTH}.yaml:1:11: include[0]: ")


def test_variables_are_filled_in_and_read_as_they_are_written() -> None:
    policy = parsed(
        "upstreams:\n  x:\n    url: http://${HOST:-localhost}:${PORT}\n    max_connections: ${MOST}\n"
        "defaults: {response: {set: {X-A: '${MOST}', X-B: '$${HOST}'}}}\n",
        PORT="80",
        MOST="7",
    )
    upstream = policy.upstreams["x"]
    assert (upstream.url, upstream.max_connections) == ("http://localhost:80", 7)
    assert policy.routes[-1].response.lines == (("X-A", "7"), ("X-B", "${HOST}"))


def test_a_variable_cannot_add_keys() -> None:
    policy = parsed("defaults: {response: {set: {X-A: '${A}'}}}", A="x, X-B: y")
    assert policy.routes[-1].response.lines == (("X-A", "x, X-B: y"),)


def test_a_secret_stands_for_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer s3cret\n")
    text = "defaults: {request: {set: {Authorization: {file: token}}}}"
    policy = parsed(text, tmp_path)
    assert policy.routes[-1].request.lines == (("Authorization", "Bearer s3cret"),)
    assert "s3cret" not in render_policy(policy)
    (tmp_path / "token").write_text("other")
    assert parsed(text, tmp_path).version_digest != policy.version_digest


def test_a_mapping_of_the_policy_s_own_is_left_alone() -> None:
    policy = parsed("routes: [{name: a, match: {path: /a, query: {file: /run/x}}, response: {set: {file: /y}}}]")
    assert [condition.name for condition in policy.routes[0].conditions] == ["file"]
    assert policy.routes[0].response.lines == (("file", "/y"),)


def test_no_message_shows_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://user:s3cret@host")
    with pytest.raises(PolicyError) as caught:
        parsed("upstreams: {x: {url: {file: url}}}", tmp_path)
    assert "s3cret" not in str(caught.value)


async def test_a_changed_include_is_taken_up(tmp_path: Path) -> None:
    file, other = tmp_path / "p.yaml", tmp_path / "a.yaml"
    file.write_text("include: [a.yaml]\n")
    other.write_text(ROUTE.format("a"))
    source, looks = PolicySource(load_policy(file), lambda: load_policy(file)), 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            other.write_text(ROUTE.format("changed"))
        if looks == 8:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watch_file(source, file, sleep)
    assert source.current.routes[0].name == "changed"
