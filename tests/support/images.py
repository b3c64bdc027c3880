"""Runs what a built image holds as an engine does: root read-only, no capabilities, its user; the host's network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.images import Image

# In a mount namespace of its own, which ends with the program. An engine gives /proc, a few devices and /dev/shm too.
_ENTER = """
root=$1 user=$2 group=$3 directory=$4
shift 4
mount --bind "$root" "$root"
mount -t proc -o ro,nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs "$root/dev/shm"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --bounding-set=-all --inh-caps=-all \
    --no-new-privs env --ignore-environment --chdir="$directory" "$@"
"""


def why_not() -> str | None:
    """Why images cannot be run here; None where they can."""
    if os.geteuid() != 0:
        return "images are run as root"
    return None if shutil.which("unshare") else "images need unshare (util-linux)"


def words_of(image: Image, arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command that runs `arguments` in the image, signals reaching them as they are the same process."""
    user, _, group = image.user.partition(":")
    told = {name: value for name, _, value in (line.partition("=") for line in image.environment)} | dict(environment)
    enter = ["unshare", "--mount", "--ipc", "--uts", "/bin/sh", "-ec", _ENTER, "enter", image.root, user, group]
    return [*enter, image.directory, *(f"{name}={value}" for name, value in told.items()), *arguments]


def files_of(image: Image, pattern: str) -> list[Path]:
    """Files of the image, by their whole paths on this machine."""
    return sorted(Path(image.root).glob(pattern))
