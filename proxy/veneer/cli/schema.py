"""`veneer schema`: the JSON Schema of policies.yaml, for editors that complete and check as one writes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from veneer.policy.json_schema import render


def schema_command(_arguments: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    """0."""
    sys.stdout.write(render())
    return 0
