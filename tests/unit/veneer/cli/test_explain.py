import argparse
from pathlib import Path

import pytest

from tests.support.tokens import SECRET, bearer
from veneer.cli.explain import explain_request
from veneer.cli.flags import add_explain_flags

POLICY = """
identities:
  token: {jwt: {keys: [{secret_env: SECRET}], values: {tenant: tenant}}}
  published: {jwt: {keys: [{jwks: "https://issuer.example/keys"}], cookie: id, values: {reader: sub}}}
  asked: {subrequest: {url: "http://127.0.0.1:1/who", credentials: [Authorization], values: {team: X-Team}}}
rate_limits: {few: {rate: 10/1m, key: "header:X-Key"}}
routes:
  - name: user
    match: {path: "/users/{id}", methods: [GET]}
    rate_limit: few
    cache: {ttl: 5m, stale_if_error: 1h, tags: ["user:{id}"]}
  - {name: write, match: {path: "/users/{id}", methods: [PUT]}, invalidates: ["user:{id}"], compress: {enabled: false}}
  - {name: mine, match: {path: /mine}, cache: {ttl: 5m, origin: override}}
  - name: edited
    match: {path: /edited}
    request: {set: {X-Stage: live}, remove: [Cookie]}
    response: {set: {Server: veneer}, remove: [X-Powered-By]}
  - {name: beta, match: {path: /beta, host: [a, b], headers: {X-Beta: "1"}, cookies: {plan: "*"}}, cors: {learn: false}}
  - name: tenant
    match: {path: /tenant}
    cache: {share: identity.tenant, ttl: 5m, tags: [all, "of:{identity.tenant}"]}
  - {name: "off", match: {path: /off}, cache: {enabled: false}}
"""


class Explain:
    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.capsys = capsys

    def __call__(self, *argv: str) -> dict[str, str]:
        parser = argparse.ArgumentParser()
        add_explain_flags(parser, {"VENEER_POLICIES": str(self.path)})
        assert explain_request(parser.parse_args(argv), {}) == 0
        lines = self.capsys.readouterr().out.splitlines()
        return {name.strip(): value.strip() for name, _, value in (line.partition("  ") for line in lines)}


@pytest.fixture
def explain(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Explain:
    monkeypatch.setenv("SECRET", SECRET)
    path = tmp_path / "p.yaml"
    path.write_text(POLICY)
    return Explain(path, capsys)


def test_a_read_is_explained_from_route_to_lifetime(explain: Explain) -> None:
    rows = explain("/users/42?page=1", "-R", "Surrogate-Key: page")
    assert rows["route"] == "user (GET, HEAD /users/{id})"
    assert rows["parameters"] == "id=42"
    assert rows["rate limit"] == "few: 10 in 1m, burst 10, by header:x-key"
    assert "9:/users/427:?page=1" in rows["cache key"]
    assert rows["a 200"] == "is stored, fresh for 5m (policy), stale-if-error 1h"
    assert rows["tags"] == "user:42, page"


def test_fields_that_a_route_edits_are_named(explain: Explain) -> None:
    rows = explain("/edited", "-H", "Cookie: a=b")
    assert rows["request fields"] == "without cookie; X-Stage: live"
    tags = "cache-group-invalidation, cache-groups, cache-tag, surrogate-key"
    assert rows["response fields"] == f"without {tags}, x-powered-by; Server: veneer"
    assert "request fields" not in explain("/users/42")


def test_what_a_route_asks_of_fields_is_said(explain: Explain) -> None:
    rows = explain("/beta", "--host", "B:80", "-H", "X-Beta: 1", "-H", "Cookie: plan=x")
    assert rows["asks for"] == "host a or b, x-beta: 1, cookie plan=*"
    assert rows["own answers"] == "may be read by pages of this origin alone"
    assert explain("/beta")["route"].startswith("default ")
    assert "last answer" in explain("/beta")["own answers"]


def test_a_write_says_what_it_invalidates_and_when_not(explain: Explain) -> None:
    rows = explain("/users/42", "--method", "PUT")
    assert rows["invalidates"] == "user:42, the target URI (strict)"
    assert rows["cache key"] == "none: PUT is never answered from the store"
    assert rows["compression"] == "off"
    assert explain("/users/42", "--method", "PUT", "--status", "422")["invalidates"].startswith("nothing: 422")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("/users/1", "-H", "Authorization: Bearer t"), "is not stored: authorization"),
        (("/users/1", "-R", "Cache-Control: no-store"), "is not stored: no-store"),
        (
            ("/users/1", "-R", "Cache-Control: no-cache", "-R", 'ETag: "x"'),
            "is stored, fresh for 0s (policy), asked about",
        ),
        (("/off",), "is not stored: cache-off"),
        (("/nowhere",), "is not stored: no-freshness"),
    ],
)
def test_the_reason_is_given(explain: Explain, argv: tuple[str, ...], says: str) -> None:
    assert explain(*argv)["a 200"].startswith(says)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("/users/1", "-H", "Authorization: Bearer t"), "`identities` and `share`"),
        (("/off",), "`cache: {enabled: true}`"),
        (("/nowhere",), "`cache: {ttl: 5m}`"),
        (("/users/1", "-R", "Cache-Control: no-cache", "-R", 'ETag: "x"'), "`origin: override` with a `ttl`"),
        (("/users/1", "-R", "Cache-Control: max-age=0", "-R", 'ETag: "x"'), "`cache: {ttl: 5m}`"),
    ],
)
def test_what_helps_is_said(explain: Explain, argv: tuple[str, ...], says: str) -> None:
    assert explain(*argv)["what helps"].startswith(says)


@pytest.mark.parametrize("argv", [("/users/1",), ("/users/42", "--method", "PUT")])
def test_where_nothing_helps_or_need_help_nothing_is_said(explain: Explain, argv: tuple[str, ...]) -> None:
    assert "what helps" not in explain(*argv)


@pytest.mark.parametrize("target", ["/a/../b", "nonsense", "/%zz"])
def test_a_target_that_would_be_refused_is_an_error(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_explain_flags(parser, {})
    assert explain_request(parser.parse_args([target]), {}) == 1
    assert "would be refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "field", "says"),
    [
        (
            "/users/1",
            "Cache-Control: s-maxage=3600",
            "the backend's s-maxage; the route's ttl of 5m does nothing",
        ),
        (
            "/users/1",
            "Cache-Control: max-age=60",
            "the backend's max-age; the route's ttl of 5m does nothing",
        ),
        ("/users/1", "CDN-Cache-Control: max-age=60", "the backend's max-age; the route's ttl of 5m does nothing"),
        ("/users/1", "Expires: Thu, 01 Jan 2099 00:00:00 GMT", "the backend's Expires; the route's ttl of 5m does"),
        ("/users/1", "X-Other: 1", "the route's ttl, for the response has no s-maxage, max-age or Expires"),
        ("/mine", "Cache-Control: s-maxage=3600", "the route's ttl (`origin: override`); the backend's s-maxage does"),
        ("/mine", "X-Other: 1", "the route's ttl (`origin: override`)"),
        ("/else", "Cache-Control: max-age=60", "the backend's max-age"),
        ("/else", "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", "a guess from Last-Modified"),
        ("/else", 'ETag: "x"', "nobody's"),
    ],
)
def test_it_is_said_whose_lifetime_counts(explain: Explain, target: str, field: str, says: str) -> None:
    assert explain(target, "-R", field)["lifetime"].startswith(says)


def test_a_target_that_may_be_spared_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("defaults: {spare_target_keyed_by: [X-T], cache: {key: {headers: [X-T]}}}\n")
    rows = Explain(path, capsys)("/a", "--method", "POST")
    assert rows["invalidates"] == "the target URI where the response does not say what has changed (strict)"
    path.write_text("defaults: {spare_target_keyed_by: [X-T]}\n")
    assert Explain(path, capsys)("/a", "--method", "POST")["invalidates"] == "the target URI (strict)"


def test_what_is_not_stored_has_no_lifetime(explain: Explain) -> None:
    assert "lifetime" not in explain("/off")


@pytest.mark.parametrize("argv", [["/", "-H", "x"], ["/", "--status", "100"], ["/", "--status", "x"]])
def test_bad_flags_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_explain_flags(parser, {})
    with pytest.raises(SystemExit):
        parser.parse_args(argv)
    assert "error: argument" in capsys.readouterr().err


ELSEWHERE = "of published nobody was asked (--identity reader=VALUE), of asked nobody was asked (--identity team=VALUE)"


def test_who_asks_is_told_by_a_token_or_by_word(explain: Explain) -> None:
    nobody = explain("/tenant")
    assert nobody["identity"] == ELSEWHERE
    assert nobody["shared"] == "with nobody: by identity.tenant"
    assert nobody["a 200"] == "is not stored: no-identity"
    by_token = explain("/tenant", "-H", bearer(tenant="a"))
    assert by_token["identity"] == f"tenant=a, {ELSEWHERE}"
    assert by_token["shared"].startswith("by identity.tenant, scope ")
    assert by_token["shared"].rpartition(" ")[2] in by_token["cache key"]
    assert by_token["a 200"].startswith("is stored, fresh for 5m")
    assert by_token["tags"] == "all, of:a"
    by_word = explain("/tenant", "-H", "Authorization: Bearer x", "--identity", "tenant=b", "--identity", "team=t")
    assert by_word["identity"].startswith("tenant=b, team=t, of published")
    assert by_word["tags"] == "all, of:b"
    assert explain("/tenant", "-H", bearer(tenant="a", exp=1_000_000_000))["shared"].startswith("with nobody")


def test_a_value_that_no_identity_has_is_an_error(explain: Explain, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_explain_flags(parser, {"VENEER_POLICIES": str(explain.path)})
    assert explain_request(parser.parse_args(["/tenant", "--identity", "tenat=a"]), {}) == 1
    assert "has the value tenat" in capsys.readouterr().err


def test_a_tag_of_who_asks_is_left_out_where_nobody_has_proven_who(explain: Explain) -> None:
    told = explain("/tenant")
    assert told["tags"] == "all"
