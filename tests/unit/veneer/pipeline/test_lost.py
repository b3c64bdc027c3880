"""What a route does while Redis is away."""

import pytest

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.pipeline.lost import LostRead, LostWrite, read_when_lost, write_when_lost
from veneer.policy.load import parse_policy


@pytest.mark.parametrize(
    ("keys", "read", "write"),
    [
        ("", LostRead.FORWARDED, LostWrite.REFUSED),
        (", on_store_loss: stale", LostRead.STORED, LostWrite.REFUSED),
        (", consistency: bounded", LostRead.FORWARDED, LostWrite.CARRIED_OUT),
        (", cache: {enabled: false}, on_store_loss: stale", LostRead.FORWARDED, LostWrite.CARRIED_OUT),
        (", cache: {enabled: false}, invalidates: [a]", LostRead.FORWARDED, LostWrite.REFUSED),
    ],
)
def test_what_is_written_in_the_policy_decides(keys: str, read: LostRead, write: LostWrite) -> None:
    policy = parse_policy(f"routes: [{{name: a, match: {{path: /a}}{keys}}}]", "policies.yaml")
    request = RequestHead("PUT", "/a", None, "policy.test", Fields())
    match = policy.match_of(request)
    assert read_when_lost(match.route) is read
    assert write_when_lost(policy, match, request) is write
