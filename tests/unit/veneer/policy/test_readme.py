"""The policies in README are right, and do what stands beside them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from veneer.policy.load import parse_policy
from veneer.policy.model import Policy
from veneer.policy.sources import Sources

README = Path(__file__).parents[4] / "README.md"
WRITTEN = [textwrap.dedent(block) for block in re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)]
ENVIRONMENT = {"TOKEN_SECRET": "a-secret-of-more-than-thirty-two-bytes"}


def policy_of(text: str) -> Policy:
    return parse_policy(text, "README.md", sources=Sources(Path(), ENVIRONMENT))


@pytest.mark.parametrize("text", WRITTEN)
def test_each_is_taken_without_a_warning(text: str) -> None:
    assert policy_of(text).warnings == ()


def test_the_one_for_a_backend_without_cache_fields_gives_it_lifetimes_and_ends_them_at_a_write() -> None:
    (text,) = [text for text in WRITTEN if text.startswith("version:")]
    assert len(text.splitlines()) <= 12
    policy = policy_of(text)
    read = {
        path: policy.match("GET", path).route for path in ("/static/a.css", "/products/7", "/products", "/account/me")
    }
    assert [route.cache.ttl_s for route in read.values()][:3] == [86_400, 300, 60]
    assert not read["/account/me"].cache.enabled
    for path in ("/products/7", "/products"):
        write = policy.match("PATCH", path)
        shown = policy.match("GET", "/products")
        assert set(write.route.invalidates(write.params)) & set(shown.route.tags(shown.params))
