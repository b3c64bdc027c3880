"""A rename drops every completion that it can change, and few others."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from etter.groups import company_completion, company_names, company_staff, renamed

NAMES = st.text("aAbB nN-@Z\u00e9\u0130\u212a", min_size=1, max_size=40)


def depends(text: str) -> set[str]:
    """The groups of the page that completes a text."""
    return {company_staff(7), company_completion(7, text)}


@given(before=NAMES, after=NAMES, text=NAMES)
@example(before="Ann Lee", after="Bob Lee", text="ann")
@example(before="\u0130nan", after="Bob", text="in")
def test_whoever_enters_or_leaves_a_completion_drops_it(before: str, after: str, text: str) -> None:
    found = {text.lower() in name.lower() for name in (before, after)}
    if True in found:
        assert depends(text) & set(renamed(7, before, after))


def test_other_letters_stay() -> None:
    stale = set(renamed(7, "Ann Lee", "Anna Lee"))
    assert not depends("zoe") & stale
    assert company_staff(7) not in stale


def test_addresses_are_not_names() -> None:
    assert company_completion(7, "ann@example") == company_names(7)


def test_a_field_holds_what_every_cache_takes() -> None:
    long = " ".join(f"{first}{second}" for first in "abcdefghij" for second in "klmnop")
    assert len(renamed(7, long[:120], "Bob")) <= 32
    assert renamed(7, long[:120], "Bob") == (company_names(7), company_staff(7))
