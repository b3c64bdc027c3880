"""Error reports to Sentry, where switched on: what the proxy logs as an error, with its traceback."""

from __future__ import annotations

import logging

from veneer.observe.settings import ObserveSettingsError


class ErrorReports:
    """Sends errors of the proxy's own to a DSN, from Sentry's thread. Raises ObserveSettingsError without the extra.

    Nothing of clients' requests is sent: no integration that would see them is on.
    """

    def __init__(self, dsn: str) -> None:
        try:
            import sentry_sdk  # noqa: PLC0415 - extra
            from sentry_sdk.integrations.logging import EventHandler  # noqa: PLC0415 - extra
        except ImportError as error:
            raise ObserveSettingsError('ERROR_TRACKING_ENABLED needs Sentry: pip install "veneer[sentry]"') from error
        self._sentry = sentry_sdk
        sentry_sdk.init(dsn, default_integrations=False, include_local_variables=False, include_source_context=False)
        self._handler: logging.Handler = EventHandler(level=logging.ERROR)
        logging.getLogger("veneer").addHandler(self._handler)

    def close(self, patience_s: float = 2.0) -> None:
        """Send what waits for at most `patience_s`, then end."""
        logging.getLogger("veneer").removeHandler(self._handler)
        self._sentry.get_client().close(timeout=patience_s)
