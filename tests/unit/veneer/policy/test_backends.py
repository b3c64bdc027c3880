"""Where upstreams are."""

from __future__ import annotations

from veneer.policy.load import parse_policy

POLICY = """
version: 1
upstreams:
  several: {targets: [{url: "http://a.example", drain: true}, {url: "http://b.example/"}]}
  one: {targets: [{url: "http://c.example"}]}
"""


def test_what_asks_one_target_alone_asks_one_that_is_not_drained() -> None:
    upstreams = parse_policy(POLICY, "p").upstreams
    assert upstreams["several"].url == "http://b.example"
    assert [target.url for target in upstreams["several"].targets] == ["http://a.example", "http://b.example"]


def test_a_single_target_is_an_upstream_by_its_url() -> None:
    one = parse_policy(POLICY, "p").upstreams["one"]
    assert (one.url, one.targets) == ("http://c.example", ())
