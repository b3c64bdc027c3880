"""A request of one client that nobody can join: it gives way to others once that client has left."""

from __future__ import annotations

from types import TracebackType

from veneer.core.overload import Claim
from veneer.ports import Client, Demand


class Heeded:
    """As long as the block runs, the demand ends with its client."""

    def __init__(self, client: Client, claim: Claim) -> None:
        self._client = client
        self._demand = Demand(claim)

    def __enter__(self) -> Demand:
        self._client.on_leave(self._demand.asker_left)
        return self._demand

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.on_leave(None)
        self._demand.when_unwanted(None)  # which refers to the demand
        if kind is None:
            self._demand.join()  # who is answered is there, until sending shows that he is not
