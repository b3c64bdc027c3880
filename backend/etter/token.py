"""`python -m etter.token`: issue a token, in development. Elsewhere they come from an identity provider."""

import argparse
import datetime as dt
import os
import sys
from collections.abc import Sequence

from etter.clock import utc_now
from etter.settings import DEVELOPMENT, SettingsError, load_settings
from etter.web.auth import issue_token


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a token; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m etter.token", description=__doc__)
    parser.add_argument("--user", type=int, required=True, metavar="ID")
    parser.add_argument("--company", type=int, required=True, metavar="ID")
    parser.add_argument("--platform", action="store_true", help="may see and change all companies")
    parser.add_argument("--hours", type=float, default=24.0, help="how long it holds (default 24)")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(os.environ)
        if settings.environment != DEVELOPMENT:
            sys.stderr.write(f"etter: tokens are issued in development alone: set ENVIRONMENT={DEVELOPMENT}\n")
            return 1
        secret = settings.token_secret
    except SettingsError as error:
        sys.stderr.write(f"etter: {error}\n")
        return 2
    token = issue_token(
        secret,
        user_id=options.user,
        company_id=options.company,
        role="platform" if options.platform else "member",
        expires_at=utc_now() + dt.timedelta(hours=options.hours),
    )
    sys.stdout.write(token + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
