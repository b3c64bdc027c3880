"""What tells no responses apart does not reach the backend: of cookies it sees what is in the key, and nothing else.

But for responses that are not shared, as those to sessions, and those that the origin itself declares shareable.
"""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from veneer.core.fields import Fields
from veneer.core.rules import CacheRules, CookieRules
from veneer.core.sharing import keyed_cookies, passes, told_cookies, withheld

NAMES = ("a", "ab", "b", "ba", "")
PATTERNS = st.lists(st.sampled_from(["a", "ab", "b", "a*", "b*", "*"]), max_size=2).map(tuple)
RULES = st.builds(CookieRules, st.lists(st.sampled_from(["ba", "x"]), max_size=1).map(tuple), PATTERNS, PATTERNS)
TEXTS = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(["=1", "=2", "", "=", " = 1"]), st.sampled_from(["; ", ";", ", ", ";;"])
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(name + value + separator for name, value, separator in parts))


def members(fields: Fields) -> list[str]:
    """What a backend sees, whatever the order in which cookies of other names came."""
    return sorted(member.strip() for line in fields.lines("cookie") for member in line.split(";") if member.strip())


@settings(deadline=None, max_examples=500)
@given(rules=RULES, texts=st.tuples(TEXTS, TEXTS))
def test_the_backend_sees_what_is_in_the_key(rules: CookieRules, texts: tuple[str, str]) -> None:
    assume(rules)
    route = CacheRules(cookies=rules)
    one, other = (Fields([("Cookie", text)]) for text in texts)
    seen = [told_cookies(fields, rules) for fields in (one, other)]
    shared = all(withheld(fields, route) is None and not passes(fields, route) for fields in seen)
    if shared and keyed_cookies(seen[0], rules) == keyed_cookies(seen[1], rules):
        assert members(seen[0]) == members(seen[1])


@settings(deadline=None, max_examples=300)
@given(rules=RULES, text=TEXTS)
def test_what_is_taken_out_changes_no_judgement(rules: CookieRules, text: str) -> None:
    route = CacheRules(cookies=rules)
    came = Fields([("Cookie", text)])
    told = told_cookies(came, rules)
    assert passes(told, route) == passes(came, route)
    assert keyed_cookies(told, rules) == keyed_cookies(came, rules)
    if "cookie" in told.joined or rules:
        assert withheld(told, route) == withheld(came, route)
