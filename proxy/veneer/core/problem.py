"""Problem details (RFC 9457) for the errors that the proxy makes itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from veneer.core.fields import Fields, Pair
from veneer.core.messages import ResponseHead

QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""The problem type of a refused rate (draft-ietf-httpapi-ratelimit-headers-11 section 5.1)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error. `detail` is for the reader: what was wrong and what would be right, nothing about the inside.

    `instance` is the target as it came (Latin-1). An empty `title` means the status' own phrase, which is what the type
    about:blank asks for (section 4.2.1). `violated_policies` names rate limits.
    """

    status: int
    detail: str
    type: str = "about:blank"
    title: str = ""
    instance: str = ""
    request_id: str = ""
    violated_policies: tuple[str, ...] = ()

    def body(self) -> bytes:
        """The JSON object, a line for each member; those that say nothing are left out.

        The lines of `json` itself (`indent`) are made in Python, and each call leaves a cycle of closures.
        """
        members: dict[str, str | int | list[str]] = {
            "type": self.type,
            "title": self.title or _phrase(self.status),
            "status": self.status,
            "detail": self.detail,
            "instance": self.instance,
            "request_id": self.request_id,
            "violated-policies": list(self.violated_policies),
        }
        lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in members.items() if value]
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def problem_head(problem: Problem, *extra: Pair) -> ResponseHead:
    """The head that goes with `problem.body()`, with more field lines. The proxy's own errors are never stored."""
    own = (("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"))
    return ResponseHead(problem.status, _phrase(problem.status), Fields((*own, *extra)))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
