"""Copies in memory of what the policy reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from veneer.workers.kept_files import MAX_BYTES, KeptFiles, in_memory, inherited


def test_a_copy_stays_what_it_was_and_nobody_can_change_it(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(b"first")
    files = KeptFiles()
    copy = files.copy(file)
    file.write_bytes(b"second")
    assert files.copy(file) == copy
    assert (copy.read_bytes(), copy.read_bytes()) == (b"first", b"first")
    (descriptor,) = files.descriptors.values()
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    assert inherited(files.descriptors)(file).read_bytes() == b"first"
    assert inherited({})(file) == file
    files.close()
    assert files.descriptors == {}
    assert not copy.exists()


def test_what_cannot_be_copied_is_left_to_its_reader(tmp_path: Path) -> None:
    files = KeptFiles()
    assert files.copy(tmp_path / "none") == tmp_path / "none"
    large = tmp_path / "large"
    large.write_bytes(b"x" * (MAX_BYTES + 1))
    assert files.copy(large) == large
    assert files.descriptors == {}


def test_without_proc_files_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veneer.workers.kept_files.readable_at", lambda _descriptor: tmp_path / "no-proc")
    own = tmp_path / "own"
    own.write_bytes(b"x")
    files = KeptFiles()
    assert files.copy(own) == own
    assert inherited(files.descriptors)(own) == own
    files.close()


def test_a_copy_that_cannot_be_made_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("veneer.workers.kept_files.fcntl.fcntl", full)
    with pytest.raises(OSError, match="No space"):
        in_memory(b"x")
    own = tmp_path / "own"
    own.write_bytes(b"x")
    assert KeptFiles().copy(own) == own, "it is read where it is"
    assert len(list(Path("/proc/self/fd").iterdir())) == before
