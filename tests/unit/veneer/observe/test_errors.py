from __future__ import annotations

import logging
import sys

import pytest

from tests.support.collector import collector
from veneer.observe.errors import ErrorReports
from veneer.observe.settings import ObserveSettingsError


def test_errors_are_sent_and_lesser_messages_are_not() -> None:
    pytest.importorskip("sentry_sdk")
    logger = logging.getLogger("veneer.test")
    with collector() as kept:
        reports = ErrorReports(kept.url.replace("://", "://key@") + "/1")
        logger.warning("only a warning")
        try:
            _fail("local secret")
        except RuntimeError:
            logger.exception("it broke")
        reports.close()
        logger.error("after the end")
    sent = b"".join(body for _, body in kept.posts)
    assert b"it broke" in sent
    assert b"RuntimeError" in sent
    assert b"local secret" not in sent
    assert b"only a warning" not in sent
    assert b"after the end" not in sent


def _fail(secret: str) -> None:
    raise RuntimeError(f"{len(secret)} characters")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(ObserveSettingsError, match=r"veneer\[sentry\]"):
        ErrorReports("http://k@127.0.0.1:1/1")
