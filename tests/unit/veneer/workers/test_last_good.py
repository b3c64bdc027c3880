"""The copy of the policy that workers start from."""

from __future__ import annotations

from pathlib import Path

from veneer.policy.load import load_policy
from veneer.policy.settings import NO_OVERRIDES
from veneer.policy.watch import PolicySource
from veneer.workers.last_good import LastGood, load_kept

ONE = "routes: [{name: one, match: {path: /a}}]\n"
TWO = "routes: [{name: two, match: {path: /a}}]\n"


async def test_the_copy_follows_what_is_right_and_nothing_else(tmp_path: Path) -> None:
    file, copy = tmp_path / "policies.yaml", tmp_path / "copy.yaml"
    file.write_text(ONE)
    last_good = LastGood(file, copy, NO_OVERRIDES)
    source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
    last_good.keep()
    for text, right in ((ONE, ONE), ("routez: []\n", ONE), ("", ONE), (TWO, TWO), ("a: [", TWO)):
        file.write_text(text)
        await source.reload()
        assert copy.read_text() == right
        # as a worker reads it: the same policy as everybody's, by its digest
        assert load_policy(copy).version_digest == source.current.version_digest


async def test_included_files_are_kept_as_they_were(tmp_path: Path) -> None:
    file, copy, other = tmp_path / "policies.yaml", tmp_path / "kept" / "copy.yaml", tmp_path / "more.yaml"
    copy.parent.mkdir()
    file.write_text("include: [more.yaml]\n")
    other.write_text(ONE)
    last_good = LastGood(file, copy, NO_OVERRIDES)
    source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
    last_good.keep()
    for text, right in (("routez: []\n", "one"), (TWO, "two"), ("a: [", "two")):
        other.write_text(text)
        await source.reload()
        kept = load_kept(copy, NO_OVERRIDES)
        assert [route.name for route in kept.routes] == [right, "default"]
        assert kept.version_digest == source.current.version_digest
