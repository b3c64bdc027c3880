import pytest

from veneer.core.fields import Fields
from veneer.core.streams import is_stream


@pytest.mark.parametrize(
    ("value", "lasts"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("text/event-stream ;charset=utf-8", True),
        ("multipart/x-mixed-replace; boundary=frame", True),
        ("text/event-streams", False),
        ("text/html", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_what_lasts_says_so_by_its_type(value: str, lasts: bool) -> None:
    assert is_stream(Fields((("Content-Type", value),))) is lasts


def test_no_type_is_no_stream() -> None:
    assert not is_stream(Fields())
