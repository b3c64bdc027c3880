"""Memory for stored responses against the cgroup's limit, of version 1 and 2, read from files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from veneer.main.memory_room import PROCESS_BYTES, memory_limit, within
from veneer.policy.load import parse_policy
from veneer.policy.node_settings import StoreSettings

MB = 1024**2
NONE_IN_V1 = "9223372036854771712"


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "536870912"}, 512 * MB),
        ("0::/\n", {"memory.max": "max"}, None),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "268435456"}, 256 * MB),
        ("0::/a/b\n", {"a/b/memory.max": "104857600", "a/memory.max": "268435456"}, 100 * MB),
        ("4:memory:/docker/1\n0::/\n", {"memory/docker/1/memory.limit_in_bytes": "536870912"}, 512 * MB),
        ("4:cpu,memory:/docker/1\n", {"memory/memory.limit_in_bytes": "536870912"}, 512 * MB),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": NONE_IN_V1}, None),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "what"}, None),
        ("3:cpu:/a\nnonsense\n", {"memory.max": "what"}, None),
        ("", {}, None),
    ],
)
def test_the_limit_is_the_least_from_ones_own_cgroup_up(
    own: str, files: dict[str, str], limit: int | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        file = tmp_path / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", "ascii")
    (tmp_path / "own").write_text(own, "utf-8")
    assert memory_limit(tmp_path / "fs", tmp_path / "own") == limit


def test_without_such_files_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(
    ("limit_mb", "processes", "fits_mb"),
    [(None, 1, 256), (1024, 1, 256), (1024, 2, 256), (300, 1, 140), (64, 1, 16), (1024, 4, 96), (2, 4, 1)],
)
def test_where_nothing_is_told_as_much_is_stored_as_fits(
    limit_mb: int | None, processes: int, fits_mb: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limit = None if limit_mb is None else limit_mb * MB
    found = within(StoreSettings(), limit, processes)
    assert found.memory_bytes == fits_mb * MB
    assert len(caplog.records) == (fits_mb != 256)
    assert all(record.levelname == "INFO" for record in caplog.records)


def test_what_is_told_is_obeyed_and_warned_about_where_it_does_not_fit(caplog: pytest.LogCaptureFixture) -> None:
    told = parse_policy("stores: {memory: 512MB}", "policies.yaml").stores
    assert within(told, 512 * MB + PROCESS_BYTES, 1) is told
    assert not caplog.records
    assert within(told, 512 * MB, 1) is told
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "stores.memory is 512 MB, and the cgroup allows 512 MB" in record.getMessage()
    assert "352 MB would fit" in record.getMessage()


def test_the_policy_knows_whether_it_was_told_also_where_that_is_the_default() -> None:
    assert parse_policy("stores: {memory: 256MB}", "policies.yaml").stores.memory_told
    assert not parse_policy("stores: {max_variants: 8}", "policies.yaml").stores.memory_told
