"""Applications with logins: two users at once and in turn, and a stranger, never see each other's answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Serve, Site, launch
from tests.real.support.install import node_group, python_group
from tests.real.support.people import Person, Seen, assert_nobody_sees_another, everybody
from tests.real.support.run import run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

LISTED = 'version: 1\nroutes:\n  - {name: all, match: {path: "/{rest:path}"}, cache: {ttl: 1m}}\n'
POLICIES = [pytest.param(None, id="as-it-comes"), pytest.param(LISTED, id="listed-with-ttl")]


def express(port: int, directory: Path) -> Launch:
    return launch("express", node_group("node").script("express_sessions.js", str(port), str(directory)), directory)


def fastapi(port: int, directory: Path) -> Launch:
    group = python_group("frameworks")
    argv = [group.program("uvicorn"), "--app-dir", str(group.scripts), "--port", str(port), "fastapi_tokens:app"]
    return launch("fastapi", argv, directory)


def django(port: int, directory: Path) -> Launch:
    group = python_group("frameworks")
    env = {"SITE_DIRECTORY": str(directory)}
    run(group.script("django_logins.py", "prepare"), env=env)
    argv = [group.program("gunicorn"), "--chdir", str(group.scripts), "--bind", f"127.0.0.1:{port}", "--threads", "8"]
    return launch("django", [*argv, "django_logins:application"], directory, env)


def signs_in_to_express(person: Person) -> None:
    assert person.post("/login", {"name": person.name}).status == 302


def signs_in_to_fastapi(person: Person) -> None:
    form = {"username": person.name, "password": "any"}
    token = msgspec.json.decode(person.post("/token", form).body, type=dict[str, str])
    person.fields["Authorization"] = f"Bearer {token['access_token']}"


def csrf_token(page: Seen) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
    assert found, page
    return found[1]


def signs_in_to_django(person: Person) -> None:
    token = csrf_token(person.get("/accounts/login/"))
    form = {"username": person.name, "password": f"password of {person.name}", "csrfmiddlewaretoken": token}
    assert person.post("/accounts/login/", form).status == 302


APPLICATIONS: list[tuple[Serve, Callable[[Person], None], list[str], list[str]]] = [
    (express, signs_in_to_express, ["/me", "/me.json", "/report", "/download", "/either"], ["/greeting"]),
    (fastapi, signs_in_to_fastapi, ["/me", "/report", "/fresh", "/events"], []),
    (django, signs_in_to_django, ["/me", "/tagged"], ["/greeting", "/varied"]),
]


@pytest.mark.parametrize("policies", POLICIES)
@pytest.mark.parametrize(("serve", "sign_in", "own", "greeting"), APPLICATIONS, ids=["express", "fastapi", "django"])
def test_users_see_their_own_pages_and_strangers_no_users(
    both: Both,
    serve: Serve,
    sign_in: Callable[[Person], None],
    own: list[str],
    greeting: list[str],
    policies: str | None,
) -> None:
    both.policies = policies
    straight, through = both.run(serve, lambda site: everybody(site, sign_in, [*own, *greeting]))
    assert_nobody_sees_another(straight)
    assert_nobody_sees_another(through)
    assert through == straight
    assert all(one.status in {302, 401} for one in through if one.who == "stranger" and one.path in own)


def test_djangos_forms_are_taken_from_whoever_was_given_them(both: Both) -> None:
    def steps(site: Site) -> list[Seen]:
        ann, bob = Person(site, "ann"), Person(site, "bob")
        for person in (ann, bob):
            signs_in_to_django(person)
        tokens = {person.name: csrf_token(person.get("/form")) for person in (ann, bob)}
        said = [
            person.post("/form", {"text": "yes", "csrfmiddlewaretoken": tokens[person.name]}) for person in (bob, ann)
        ]
        return [*said, Person(site, "stranger").post("/form", {"text": "no", "csrfmiddlewaretoken": tokens["ann"]})]

    straight, through = both.run(django, steps)
    assert [seen.status for seen in through] == [200, 200, 403]
    assert [(seen.who, seen.status) for seen in straight] == [(seen.who, seen.status) for seen in through]
    assert [seen.body for seen in straight][:2] == [seen.body for seen in through][:2]


@pytest.mark.parametrize(
    ("serve", "path"),
    [(express, "/shop"), (fastapi, "/catalogue"), (django, "/shop")],
    ids=["express", "fastapi", "django"],
)
def test_what_is_the_same_for_all_is_kept(both: Both, serve: Serve, path: str) -> None:
    def steps(site: Site) -> list[tuple[int, bytes]]:
        answers = [site.get(path, Accept_Encoding="identity") for _ in range(3)]
        assert site.proxy is None or [answer.hit for answer in answers] == [False, True, True]
        return [(answer.status, answer.body) for answer in answers]

    straight, through = both.run(serve, steps)
    assert straight == through
