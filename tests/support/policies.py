"""Policies that many tests begin with."""

from __future__ import annotations

from functools import cache

from veneer.policy.load import parse_policy
from veneer.policy.model import Policy


@cache
def policy_of(text: str) -> Policy:
    """The policy in a text, read once: nothing ever changes in a policy. Raises PolicyError."""
    return parse_policy(text, "test")
