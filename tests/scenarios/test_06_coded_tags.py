"""Item 6: entity tags of what this proxy codes, on their way to the origin and back; what varies as a 200 does."""

from __future__ import annotations

import pytest

from tests.scenarios.dialogue import Dialogue

TYPE = "Content-Type: text/plain"
BODY = "text " * 400
LONG = "text " * 40_000
BR = "Accept-Encoding: br"


@pytest.mark.parametrize(
    ("control", "body"), [("private", BODY), ("no-store", BODY), ("private", LONG), ("no-cache, no-store", LONG)]
)
async def test_a_coded_response_that_is_not_stored_is_validated_by_its_tag(
    talk: Dialogue, control: str, body: str
) -> None:
    page = f'ETag: "r2"\nCache-Control: {control}'
    talk.answers(f"200\n{page}\n{TYPE}\n\n{body}", *[f"304\n{page}\n\n"] * 3)
    first = await talk.ask("GET /a", BR)
    assert first.lines.get("ETag") == '"r2-br"'
    for held, told in (('"r2-br"', '"r2-br"'), ('W/"r2-br"', '"r2-br"'), ('"x", "r2-gzip"', '"r2-gzip"')):
        again = await talk.ask("GET /a", BR, f"If-None-Match: {held}")
        assert talk.asked[-1].lines.get("If-None-Match") == held.replace("-br", "").replace("-gzip", "")
        assert (again.status, again.lines.get("ETag"), again.text()) == (304, told, "")
        assert again.lines.get("Vary") == "Accept-Encoding"


async def test_a_streamed_response_is_validated_by_its_coded_tag(talk: Dialogue) -> None:
    head = f'HTTP/1.1 200 OK\r\nETag: "r2"\r\nCache-Control: private\r\n{TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n'
    chunk = f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n"
    talk.answers((head + chunk).encode(), '304\nETag: "r2"\nCache-Control: private\n\n')
    first = await talk.ask("GET /a", BR)
    assert first.lines.get("ETag") == '"r2-br"'
    again = await talk.ask("GET /a", BR, 'If-None-Match: "r2-br"')
    assert (again.status, again.lines.get("ETag")) == (304, '"r2-br"')


async def test_many_requests_of_one_shape_each_ask_about_their_own_tag(talk: Dialogue) -> None:
    page = f"Cache-Control: no-store\n{TYPE}"
    for number in range(4):
        talk.answers(f'200\nETag: "{number}"\n{page}\n\n{number}')
        assert (await talk.ask(f"GET /{number}", BR, 'If-None-Match: "plain"')).text() == str(number)
    for number in range(4):
        talk.answers(f'304\nETag: "{number}"\n{page}\n\n')
        again = await talk.ask(f"GET /{number}", BR, f'If-None-Match: "{number}-br"')
        assert talk.asked[-1].lines.get("If-None-Match") == f'"{number}"'
        assert (again.status, again.lines.get("ETag")) == (304, f'"{number}-br"')


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
async def test_an_unsafe_request_is_conditional_on_the_origin_s_tag(talk: Dialogue, method: str) -> None:
    talk.answers(f'200\nETag: "r2"\nCache-Control: max-age=600\n{TYPE}\n\n{BODY}', '204\nETag: "r3"\n\n', "412\n\n")
    tag = (await talk.ask("GET /a", BR)).lines.get("ETag")
    assert tag == '"r2-br"'
    answer = await talk.ask(f"{method} /a", f"If-Match: {tag}", body=b"x")
    assert (talk.asked[-1].lines.get("If-Match"), answer.status, answer.lines.get("ETag")) == ('"r2"', 204, '"r3"')
    await talk.ask(f"{method} /a", f'If-None-Match: "a", {tag}', body=b"x")
    assert talk.asked[-1].lines.get("If-None-Match") == '"a", "r2"'


async def test_a_read_with_if_match_is_about_the_origin_s_tag(talk: Dialogue) -> None:
    talk.answers(f'200\nETag: "r2"\nCache-Control: private\n{TYPE}\n\n{BODY}')
    await talk.ask("GET /a", BR, 'If-Match: "r2-br+"')
    assert talk.asked[-1].lines.get("If-Match") == '"r2"'


@pytest.mark.parametrize("control", ["private", "max-age=600"])
async def test_what_stands_for_a_200_varies_as_it_does(talk: Dialogue, control: str) -> None:
    page = f'ETag: "r2"\nCache-Control: {control}\n{TYPE}'
    talk.answers(
        f"200\n{page}\nContent-Length: {len(BODY)}\n\n",
        f"206\n{page}\nContent-Range: bytes 0-3/{len(BODY)}\n\ntext",
        f"304\n{page}\n\n",
        f"200\n{page}\n\n{BODY}",
    )
    head = await talk.ask("HEAD /a", BR)
    part = await talk.ask("GET /b", BR, "Range: bytes=0-3")
    # the condition of a client with credentials goes along: what he gets may be nobody else's
    same = await talk.ask("GET /c", BR, 'If-None-Match: "r2-br"', "Cookie: a=1")
    whole = await talk.ask("GET /d", BR)
    assert [a.status for a in (head, part, same, whole)] == [200, 206, 304, 200]
    assert [a.lines.get("Vary") for a in (head, part, same, whole)] == ["Accept-Encoding"] * 4
    assert (part.lines.get("ETag"), part.text()) == ('"r2"', "text")
    assert (head.lines.get("ETag"), head.lines.get("Content-Encoding")) == ('"r2-br"', "br")
