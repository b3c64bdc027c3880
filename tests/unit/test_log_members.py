"""The page on the log has each member of a line, and names none in other words that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from veneer.pipeline.exchange import ExchangeRecord

LOGS = (
    (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8").split("\n## Logs\n")[1].split("\n## ")[0]
)
WRITTEN, RENAMED = (
    {name for row in rows for name in re.findall("`([a-z_]+)`", row.split("|")[1])}
    for rows in (
        [line for line in table.splitlines() if line.startswith("| `")] for table in LOGS.split("Elastic Common Schema")
    )
)
OF_MESSAGES = {"level", "message", "logger", "node"}


def test_each_member_stands_on_the_page() -> None:
    assert set(ExchangeRecord.__struct_fields__) == WRITTEN


def test_only_members_have_names_elsewhere() -> None:
    assert set(ExchangeRecord.__struct_fields__) | OF_MESSAGES >= RENAMED
    assert {"status", "duration_ms", "trace_id"} <= RENAMED
