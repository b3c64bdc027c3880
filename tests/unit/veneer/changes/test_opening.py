"""A source whose driver is not installed says what to install, when it is to be read."""

from __future__ import annotations

import sys

import pytest

from tests.support.change_sources import ALL_TAGS, USERS
from veneer.changes.opening import open_source
from veneer.policy.model_changes import ChangeSettings, PostgresRules
from veneer.ports import SourceError

SETTINGS = ChangeSettings("main", PostgresRules("postgresql://"), (USERS,))


def test_a_source_is_made_of_what_the_policy_says() -> None:
    source = open_source(SETTINGS, None)
    assert (type(source).__name__, source.name, source.all_tags) == ("PostgresSource", "main", ALL_TAGS)


async def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("veneer.changes.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    source = open_source(SETTINGS, None)
    assert (source.name, source.all_tags) == ("main", ALL_TAGS)
    with pytest.raises(SourceError, match=r"veneer\[postgres\]") as error:
        await source.open()
    assert error.value.lasting
