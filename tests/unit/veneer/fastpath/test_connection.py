"""What a conversation says of one request alone."""

from __future__ import annotations

import pytest

from veneer.fastpath.connection import response_time_line
from veneer.pipeline.represent import millis


@pytest.mark.parametrize("took_us", [0, 7, 999, 1000, 1001, 12_345, 3_600_000_050])
def test_the_time_it_took_is_told_as_the_pipeline_tells_it(took_us: int) -> None:
    assert response_time_line(took_us) == f"\r\nX-Response-Time: {millis(took_us)}\r\n".encode()
