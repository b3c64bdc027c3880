"""Tags of a response."""

from proxy.core.fields import Fields
from proxy.core.messages import RequestHead
from proxy.core.tags import MAX_TAGS, group_tag, tags_of
from tests.support.exchanges import request


def test_three_fields_give_tags() -> None:
    fields = Fields([("Surrogate-Key", "a b:1"), ("Cache-Tag", "c, a,,d e"), ("Cache-Groups", '"g:*"')])
    assert tags_of(request(), fields) == ("a", "b:1", "c", "d e", "group:http%3A//site:g%3A%2A")


def test_groups_belong_to_their_origin() -> None:
    other = RequestHead("GET", "/a", None, "other", Fields())
    secure = RequestHead("GET", "/a", None, "site", Fields(), scheme="https")
    assert len({group_tag(each, "g") for each in (request(), other, secure)}) == 3


def test_malformed_groups_are_no_groups() -> None:
    assert tags_of(request(), Fields([("Cache-Groups", "bare")])) == ()


def test_tags_are_bounded() -> None:
    many = Fields([("Surrogate-Key", " ".join(f"t{n}" for n in range(1000))), ("Cache-Tag", "x" * 1000)])
    assert len(tags_of(request(), many)) == MAX_TAGS
    assert tags_of(request(), Fields([("Cache-Tag", "x" * 1000)])) == ()
