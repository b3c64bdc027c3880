"""`python -m devstack`, which is `make run`: the whole product on this machine, from one command."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final

from devstack.backend import token
from devstack.process import StartError
from devstack.run import Plan, Running, Stopped, run

_USER, _COMPANY = 42, 7


def main(arguments: list[str] | None = None) -> int:
    """Run the stack until Ctrl-C; return the exit code."""
    plan = _plan(_parser().parse_args(arguments))
    try:
        run(plan, _say, lambda running: _say(_welcome(plan, running)))
    except Stopped:
        _say("stopped")
        return 0
    except StartError as error:
        _say(f"error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--size", choices=("tiny", "demo", "load"), default="demo", help="how much data to seed")
    parser.add_argument("--state", type=Path, default=Path(".veneer"), help="where servers keep data and logs")
    parser.add_argument("--backend-port", type=int, default=7071)
    parser.add_argument("--proxy-port", type=int, default=8080)
    parser.add_argument("--admin-port", type=int, default=9090)
    parser.add_argument("--workers", type=int, default=1, help="proxy processes")
    return parser


def _plan(chosen: argparse.Namespace) -> Plan:
    return Plan(
        state=chosen.state.resolve(),
        size=chosen.size,
        backend_port=chosen.backend_port,
        proxy_port=chosen.proxy_port,
        admin_port=chosen.admin_port,
        workers=chosen.workers,
        database_url=os.environ.get("DATABASE_URL") or None,
        redis_url=os.environ.get("REDIS_URL") or None,
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _welcome(plan: Plan, running: Running) -> str:
    proxy, admin = running.proxy.url, running.proxy.admin_url
    rows = (
        (proxy, "the Etter API through Veneer"),
        (running.backend.url, "the backend alone"),
        (admin, "admin: /health/detailed, /metrics, /purge"),
        (_without_password(running.database_url), "PostgreSQL"),
        (_without_password(running.redis_url) if running.redis_url else "no Redis", "Redis"),
        (str(plan.logs), "logs"),
    )
    width = max(len(address) for address, _ in rows)
    table = "\n".join(f"  {address.ljust(width)}  {what}" for address, what in rows)
    bearer = token(_USER, _COMPANY, plan.logs)
    auth = '-H "Authorization: Bearer $TOKEN"'
    companies = f"'{proxy}/api/etter/master_companies?page_size=50'"
    user = f"{proxy}/api/etter/users/{_USER}"
    behind = _BEHIND.format(url=running.database_url, user=_USER, admin=admin, auth=auth, page=user)
    return f"""
{table}

Worth trying, in another terminal:

  TOKEN={bearer}
  # twice: Cache-Status says miss, then hit
  curl -s -D - -o /dev/null {auth} {companies}
  # 304: nothing has changed
  curl -s -o /dev/null -w '%{{http_code}}\\n' {auth} -H 'If-None-Match: *' {companies}
  # brotli: how many bytes come
  curl -s -o /dev/null -w '%{{size_download}}\\n' {auth} -H 'Accept-Encoding: br' {proxy}/api/etter/users
  # a write; the next read of the user shows it
  curl -s -X PATCH {auth} -H 'Content-Type: application/json' -d '{{"name": "Ada Veneer"}}' {user}
  # forget every entry tagged `companies`
  curl -s -X POST {admin}/purge -H 'Content-Type: application/json' -d '{{"tags": ["companies"]}}'
{behind if running.tells_changes else ""}
Ctrl-C stops everything.
"""


_BEHIND: Final = """  # a write that does not pass through the proxy; once this is answered, every read shows it
  psql '{url}' -c "UPDATE users SET name = 'Grace Veneer' WHERE id = {user}"
  curl -s -X POST {admin}/changes/wait -H 'Content-Type: application/json' -d '{{}}'
  curl -s {auth} {page}
"""


def _without_password(url: str) -> str:
    return re.sub(r"(?<=:)[^:/@]*(?=@)", "***", url)


if __name__ == "__main__":
    sys.exit(main())
