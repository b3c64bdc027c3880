"""`veneer changes wait`: for a job that has written to the database and wants no reader to see what was before."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from typing import Final
from urllib.parse import urlsplit

FINE, WRONG = 0, 1
LONGER_S: Final = 5.0
"""How much longer than asked for an answer may take."""


def wait_for_changes(arguments: argparse.Namespace) -> int:
    """0 once every live node has applied it; 1 where that takes longer, or cannot be asked."""
    url = urlsplit(arguments.admin)
    asked = {"source": arguments.source or "", "lsn": arguments.lsn, "timeout": arguments.timeout}
    fields = {"Content-Type": "application/json", **dict(arguments.header)}
    made = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = made(url.netloc, timeout=arguments.timeout + LONGER_S)
    try:
        connection.request("POST", "/changes/wait", json.dumps(asked), fields)
        response = connection.getresponse()
        status, text = response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stderr.write(f"{arguments.admin} gave no answer: {str(error) or type(error).__name__}\n")
        return WRONG
    finally:
        connection.close()
    if status != 200:
        sys.stderr.write(f"{_why(text)}\n")
        return WRONG
    if arguments.json:
        sys.stdout.write(f"{text}\n")
        return FINE
    told = json.loads(text)
    sys.stdout.write(f"{told['source']}: applied by every live node up to {told['lsn']}\n")
    return FINE


def _why(text: str) -> str:
    """What a refusal says (RFC 9457)."""
    try:
        told = json.loads(text)
    except ValueError:
        return text.strip()
    return str(told.get("detail") or told.get("title") or text) if isinstance(told, dict) else text
