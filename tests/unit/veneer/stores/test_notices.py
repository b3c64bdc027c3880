"""Hints between nodes: told while Redis is there, and given to who listens."""

from __future__ import annotations

from veneer.stores.notices import LogNotices
from veneer.stores.stream_decoder import Notice


class Link:
    """Keeps what is announced, or fails."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self.away = False

    def announce(self, key: str, *, released: bool = False) -> None:
        if self.away:
            raise ConnectionError
        self.told.append((key, released))


def test_nothing_is_announced_while_redis_is_away_and_a_failure_is_told() -> None:
    link, there, failures = Link(), True, list[BaseException]()
    notices = LogNotices(link, lambda: there, failures.append)
    notices.announce("a", released=False)
    notices.announce("b", released=True)
    there = False
    notices.announce("c", released=False)
    there, link.away = True, True
    notices.announce("d", released=False)
    assert link.told == [("a", False), ("b", True)]
    assert [type(failure) for failure in failures] == [ConnectionError]


def test_what_others_tell_reaches_who_listens_for_it() -> None:
    notices = LogNotices(Link(), lambda: True, lambda _: None)
    notices.heard([Notice("you", "nobody listens yet")])
    replaced, released = list[str](), list[str]()
    notices.listen(replaced.append, released.append)
    notices.heard([Notice("you", "a"), Notice("you", "b", released=True)])
    assert (replaced, released) == (["a"], ["b"])
