"""Builds both images where there is no Docker: with buildah, on a base that is made of Debian's packages.

`python -m devstack.images`, as root on Debian or Ubuntu. The Dockerfiles are those that Docker builds; what they call
`python:3.13-slim` is made here of the same Debian release with the same Python, as no registry of images may be in
reach. What pip and apt are told on this machine (variables, configuration) holds inside as well.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from devstack.process import ROOT

PLACE = ROOT / ".images"
DOCKERFILES = {"veneer": "Dockerfile.proxy", "etter": "Dockerfile.backend"}
TOOLS = ("buildah", "mmdebstrap")
RELEASES = {"3.13": "trixie"}
"""Which Debian the base image has, by its Python."""
# What the slim image has, and what Debian's own Python keeps in packages of their own.
PACKAGES = "python3,python3-venv,python3-dev,ca-certificates,netbase,passwd,tzdata"


class Image(msgspec.Struct, frozen=True):
    """A built image: where its files are, and what it says about how it is run."""

    root: str
    user: str = ""
    directory: str = "/"
    environment: list[str] = []
    entrypoint: list[str] = []
    command: list[str] = []
    labels: dict[str, str] = {}
    health: list[str] = []


class ImagesError(RuntimeError):
    """An image cannot be built; the text says why."""


def record_of(name: str) -> Path:
    """Where the built image `name` is described."""
    return PLACE / f"{name}.json"


def read_image(name: str) -> Image | None:
    """The image that was built last; None where none was, or its files are gone."""
    try:
        found = msgspec.json.decode(record_of(name).read_bytes(), type=Image)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if Path(found.root).is_dir() else None


def missing() -> str | None:
    """What is missing for a build here, as one line; None where nothing is."""
    if os.geteuid() != 0:
        return "images are built as root"
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"images need {' and '.join(tools)} (apt-get install {' '.join(tools)})" if tools else None


def base_of(dockerfile: Path) -> str:
    """The image that a Dockerfile builds on, such as `python:3.13-slim`."""
    found = re.search(r"^FROM (python:\S+)", dockerfile.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ImagesError(f"{dockerfile.name} names no Python image")
    return found[1]


def run(*words: str, show: bool = False) -> str:
    """Run a program; returns its output, or shows it beside its messages. Raises ImagesError."""
    output = sys.stderr if show else subprocess.PIPE
    done = subprocess.run(words, cwd=ROOT, stdout=output, text=True, check=False)
    if done.returncode != 0:
        raise ImagesError(f"{' '.join(words[:1])} ended with {done.returncode}")
    return (done.stdout or "").strip()


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with a store of its own, which needs nothing of the kernel: no overlay, no cgroup, no network set up."""

    store: Path

    def __call__(self, command: str, *words: str, show: bool = False) -> str:
        """Run one of its commands. Raises ImagesError."""
        places = ("--root", str(self.store / "storage"), "--runroot", str(self.store / "run"))
        return run("buildah", "--storage-driver", "vfs", *places, command, *words, show=show)

    def has(self, image: str) -> bool:
        """Whether the store holds an image."""
        return image in self("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()


def make_base(buildah: Buildah, image: str) -> None:
    """Put an image `image` into the store, unless it is there: Debian with its own Python, where Docker's has it."""
    full = f"localhost/{image}"  # where buildah looks first for a name without a registry
    if buildah.has(full):
        return
    version = image.removeprefix("python:").removesuffix("-slim")
    if version not in RELEASES:
        raise ImagesError(f"no Debian release is known to have Python {version}: add it to RELEASES")
    with tempfile.TemporaryDirectory(prefix="veneer-base-") as folder:
        archive = Path(folder) / "root.tar"
        run("mmdebstrap", "--quiet", "--variant=apt", f"--include={PACKAGES}", RELEASES[version], str(archive))
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, str(archive), "/")
    buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "--cmd", "python", container)
    link = f'ln -s "$(command -v python{version})" /usr/local/bin/python'
    buildah("run", "--isolation", "chroot", container, "--", "/bin/sh", "-ec", link)
    buildah("commit", "--quiet", "--rm", container, full)


def pip_settings(listing: str) -> dict[str, str]:
    """The options in what `pip config list` prints; variables of the environment go before files."""
    found: dict[str, str] = {}
    for line in listing.splitlines():
        place, _, value = line.partition("=")
        section, _, name = place.partition(".")
        if section in {"global", "install", ":env:"} and (section == ":env:" or name not in found):
            found[name] = str(ast.literal_eval(value))
    return found


def files_in(values: Sequence[str]) -> Iterator[str]:
    """Files and folders of this machine that such values name; of an index in files also what lies beside it."""
    for word in " ".join(values).split():
        path = Path(word.removeprefix("file://"))
        if path.is_absolute() and path.exists():
            yield str(path.parent if word.startswith("file:") else path)


def build(buildah: Buildah, name: str, version: str, settings: Path) -> None:
    """Build an image, and describe it for whoever runs it."""
    found = pip_settings(run(sys.executable, "-m", "pip", "config", "list"))
    settings.write_text("[global]\n" + "".join(f"{key} = {' '.join(found[key].split())}\n" for key in found), "utf-8")
    mounts = [f"--volume={path}:{path}:ro" for path in dict.fromkeys(files_in(list(found.values())))]
    buildah(
        "bud", "--isolation", "chroot", "--pull-never", "--layers=false", "--format", "docker",
        f"--volume={settings}:/etc/pip.conf:ro", *mounts, "--build-arg", f"VERSION={version}",
        "--file", DOCKERFILES[name], "--tag", f"localhost/{name}:latest", ".", show=True,
    )  # fmt: skip
    record_of(name).unlink(missing_ok=True)
    forget_last(buildah, name)
    record_of(name).write_bytes(msgspec.json.encode(describe(buildah, name)))


def forget_last(buildah: Buildah, name: str) -> None:
    """Remove the files and the image that a build before this one has left, some hundred megabytes each."""
    if files_name(name) in buildah("containers", "--format", "{{.ContainerName}}").splitlines():
        buildah("rm", files_name(name))
    buildah("rmi", "--prune", "--force")


def files_name(name: str) -> str:
    """What the container is called that holds an image's files."""
    return f"{name}-files"


class _Config(msgspec.Struct, rename="pascal"):
    user: str = ""
    working_dir: str = "/"
    env: list[str] = []
    entrypoint: list[str] = []
    cmd: list[str] = []
    labels: dict[str, str] = {}
    healthcheck: dict[str, object] = {}


class _Docker(msgspec.Struct):
    config: _Config


class _Inspected(msgspec.Struct, rename="pascal"):
    docker: _Docker


def describe(buildah: Buildah, name: str) -> Image:
    """What an image is run by, its files where they can be read."""
    image = f"localhost/{name}:latest"
    config = msgspec.json.decode(buildah("inspect", "--type", "image", image), type=_Inspected).docker.config
    container = buildah("from", "--pull-never", "--name", files_name(name), image)
    return Image(
        root=buildah("mount", container),
        user=config.user,
        directory=config.working_dir,
        environment=config.env,
        entrypoint=config.entrypoint,
        command=config.cmd,
        labels=config.labels,
        health=msgspec.convert(config.healthcheck.get("Test", []), list[str]),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devstack.images", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *DOCKERFILES], help="which images (default: both)")
    parser.add_argument("--version", default="0+unknown", help="what the images say they are")
    options = parser.parse_args(arguments)
    if (why := missing()) is not None:
        sys.stderr.write(f"{why}\n")
        return 1
    PLACE.mkdir(exist_ok=True)
    buildah = Buildah(PLACE)
    try:
        for name in options.names or DOCKERFILES:
            make_base(buildah, base_of(ROOT / DOCKERFILES[name]))
            with tempfile.TemporaryDirectory(prefix="veneer-pip-") as folder:
                build(buildah, name, options.version, Path(folder) / "pip.conf")
            sys.stdout.write(f"{name}: {record_of(name)}\n")
    except ImagesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
