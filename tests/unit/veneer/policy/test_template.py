from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.policy.template import TemplateError, parse_path, parse_tag, tag_value


@pytest.mark.parametrize(
    ("in_path", "in_tag"),
    [
        ("42", "42"),
        ("a%3Ab", "a%3Ab"),
        ("a:b", "a%3Ab"),
        ("*", "%2A"),
        ("%2a", "%2A"),
        ("a,b", "a%2Cb"),
        ("a%20b", "a%20b"),
        ("jane@x.org", "jane@x.org"),
        ("jane%40x.org", "jane@x.org"),
        ("%25", "%25"),
        ("%253A", "%253A"),
        ("caf%C3%A9", "caf%C3%A9"),
        ('%22"', "%22%22"),
        ("b/c:d", "b/c%3Ad"),
    ],
)
def test_a_value_has_one_form_in_tags(in_path: str, in_tag: str) -> None:
    assert tag_value(in_path) == in_tag


@given(st.binary(max_size=40))
def test_no_value_can_leave_its_place_in_a_tag(sent: bytes) -> None:
    raw, encoded = sent.decode("latin-1").replace("%", "%25"), quote(sent, safe="")
    tag = parse_tag("user:{id}", prefix_allowed=True).fill({"id": encoded})
    assert tag == "user:" + tag_value(encoded)
    assert set(tag_value(encoded)).isdisjoint(' :*,"\\\t\r\n\x00')
    assert tag.isascii()
    assert tag.isprintable()
    assert tag_value(raw) == tag_value(encoded), "one value, one tag, however it was written"


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_different_values_have_different_tags(one: bytes, other: bytes) -> None:
    assert (tag_value(quote(one, safe="")) == tag_value(quote(other, safe=""))) is (one == other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("users", 'does not begin with "/"'),
        ("/a?b", "a path has no query"),
        ("/a#b", "a path has no fragment"),
        ("/{a}/{a}", "occurs twice"),
        ("/{a:int}", "unknown kind"),
        ("/{a:path}/{b:path}", "nobody can tell which"),
        ("/x{a}", "mixes text and a parameter"),
        ("/a/../b", "dot-segment"),
        ("/a/*", "matches nothing but itself"),
        ("/a/**", "matches nothing but itself"),
        ("/a/*.css", "matches nothing but itself"),
        ("/a/:id", "matches nothing but itself"),
        ("/a/<int:id>", "matches nothing but itself"),
        ("/a%2Fb", "encoded-slash"),
        ("/a%zz", "bad-percent-encoding"),
        ("/" + "a/" * 70, "at most 64 segments"),
    ],
)
def test_paths_that_cannot_work_are_refused(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        parse_path(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "a,b", 'a"b', "a*b", "*:a", "a:**", "{1a}", "{a:path}", "{a", "x" * 300, "é"]
)
def test_tags_that_cannot_work_are_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_tag(text, prefix_allowed=True)


def test_a_response_cannot_carry_a_prefix() -> None:
    with pytest.raises(TemplateError, match="names many tags"):
        parse_tag("users:*", prefix_allowed=False)


@pytest.mark.parametrize("text", ["*", "users:*", "user:{id}:*", "{a}:{b}", "company-7/x"])
def test_invalidations_may_name_prefixes(text: str) -> None:
    assert parse_tag(text, prefix_allowed=True).fill({"id": "1", "a": "1", "b": "2"})
