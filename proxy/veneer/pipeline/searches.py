"""What recent responses said of their path's queries (No-Vary-Search), so that the next request finds them."""

from __future__ import annotations

from collections import OrderedDict

from veneer.core.key import NoVarySearch, path_key
from veneer.core.messages import RequestHead

LIMIT = 10_000
"""Paths that are remembered. Forgetting one costs a miss, never a wrong answer: the entry says what it covers."""


class NoVarySearchHints:
    """The last No-Vary-Search of each path, in this process."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, NoVarySearch] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, request: RequestHead) -> NoVarySearch | None:
        """What is known of the request's path."""
        if not self._known or request.query is None:
            return None
        return self._known.get(path_key(request))

    def learn(self, request: RequestHead, search: NoVarySearch | None) -> None:
        """Remember what a response to `request` said; None that it said nothing."""
        if search is None:
            if self._known:
                self._known.pop(path_key(request), None)
            return
        path = path_key(request)
        self._known[path] = search
        self._known.move_to_end(path)
        if len(self._known) > LIMIT:
            self._known.popitem(last=False)
