"""The line that a start leaves in the log: what is in force, and nothing that is secret."""

from __future__ import annotations

from veneer.policy.in_force import in_force
from veneer.policy.load import NO_FILE, default_policy, parse_policy
from veneer.policy.settings import Overrides


def line(text: str, redis: str | None = None) -> str:
    return in_force(parse_policy(text, "shop.yaml", Overrides(redis_url=redis)), "shop.yaml")


def test_a_policy_is_named_by_its_file_its_version_and_what_it_says() -> None:
    policy = parse_policy(
        'upstreams: {shop: {url: "http://127.0.0.1:7071"}}\nroutes: [{name: a, match: {path: /a}}]', "shop.yaml"
    )
    shown = in_force(policy, "shop.yaml")
    assert f"shop.yaml (version {policy.version_digest}, 1 route); upstream shop http://127.0.0.1:7071; " in shown
    assert shown.endswith("no Redis: what is stored is in this process alone")


def test_who_gave_no_file_sees_that_there_is_none() -> None:
    shown = in_force(default_policy("http://127.0.0.1:7071"), NO_FILE)
    assert shown.startswith("no policy file (version ")
    assert "0 routes" in shown
    assert "http://127.0.0.1:7071" in shown


def test_redis_is_shown_without_its_password() -> None:
    assert line("", "rediss://app:hunter2@cache.internal:6380/3").endswith("; Redis rediss://cache.internal:6380/3")


def test_several_targets_and_many_upstreams_are_counted_and_not_listed() -> None:
    targets = "a: {targets: [" + ", ".join(f'{{url: "http://127.0.0.1:{port}"}}' for port in (1, 2, 3)) + "]}"
    others = ", ".join(f'{name}: {{url: "http://127.0.0.1:9"}}' for name in "bcdef")
    shown = line(f"upstreams: {{{targets}, {others}}}\nroutes: [{{name: a, match: {{path: /a}}, upstream: a}}]")
    assert "upstream a http://127.0.0.1:1 and 2 more, b http://127.0.0.1:9, " in shown
    assert " and 2 more; no Redis" in shown
    assert "f http" not in shown
