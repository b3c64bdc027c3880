"""Whatever the text, a policy comes out or PolicyError does; and mutilated good files never crash the reader."""

import random

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.golden.cases import CASES, split
from veneer.policy.load import parse_policy
from veneer.policy.model import Policy
from veneer.policy.problems import PolicyError
from veneer.policy.schema import PolicyShape, RouteShape
from veneer.policy.schema_cache import CacheShape

SAMPLES = [split(case)[0] for case in CASES]
KEYS = st.sampled_from(
    [*PolicyShape.model_fields, *RouteShape.model_fields, *CacheShape.model_fields, "path", "rate", "url"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["/a", "/{x}", "/{x:path}", "user:{x}", "1s", "1KB", "1/1s", "GET", "http://a", "2xx", "*"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def read(text: str) -> Policy | None:
    """The policy, or None after a report in which every problem has its place in the text."""
    refusal: PolicyError | None = None
    try:
        policy = parse_policy(text, "p")
    except PolicyError as error:
        refusal = error
    else:
        assert policy.match("GET", "/a").route in policy.routes
        return policy
    lines = len(text.splitlines()) + 1
    assert refusal.problems
    assert all(1 <= problem.line <= lines + 1 and problem.column >= 1 for problem in refusal.problems)
    assert str(refusal)
    return None


@given(st.text())
def test_any_text(text: str) -> None:
    read(text)


@given(st.text(alphabet="{}[]:,&*!|>-?#'\"%@` \n\tab1<\x00\x85\u2028"))
def test_any_punctuation(text: str) -> None:
    read(text)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_tree(tree: dict[str, object]) -> None:
    read(yaml.safe_dump(tree))


@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False), st.integers(1, 4))
def test_mutilated_files(text: str, rng: random.Random, cuts: int) -> None:
    for _ in range(cuts):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.randrange(12))
        text = (
            text[:start] + rng.choice(["", " ", "\n", ":", "{", "]", "1", "ttl: 1h", text[end : end + 8]]) + text[end:]
        )
    read(text)


@given(st.sampled_from(SAMPLES))
def test_reading_twice_gives_the_same(text: str) -> None:
    one, other = read(text), read(text)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.version_digest, one.routes, one.rate_limits) == (
            other.version_digest,
            other.routes,
            other.rate_limits,
        )
