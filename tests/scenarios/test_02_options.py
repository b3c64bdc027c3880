"""Item 2: the options that give up a requirement, each off unless the policy says otherwise."""

from __future__ import annotations

from tests.scenarios.dialogue import Dialogue

POLICIES = """\
version: 1
defaults:
  cache:
    compat: {language_from_content: true, trust_short_partial: true}
"""

FRESH = "Cache-Control: max-age=600"


async def test_the_content_language_may_stand_for_the_accepted_one(talk: Dialogue) -> None:
    talk.answers(f"200\n{FRESH}\nVary: Accept-Language\nContent-Language: de\n\neins")
    await talk.ask("GET /a", "Accept-Language: en, de")
    assert (await talk.ask("GET /a", "Accept-Language: fr;q=0.5, de;q=1.0")).text() == "eins"


async def test_a_short_part_may_be_believed(talk: Dialogue) -> None:
    talk.answers(f"206\n{FRESH}\nContent-Range: bytes 4-9/10\n\n01234")
    await talk.ask("GET /a", "Range: bytes=-5")
    assert (await talk.ask("GET /a", "Range: bytes=-1")).text() == "4"
