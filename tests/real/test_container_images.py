"""skopeo on Debian's docker-registry: push, look, pull, push another image under the same tag, remove."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, launch
from tests.real.support.files import random_bytes
from tests.real.support.install import debian
from tests.real.support.layout import write_image
from tests.real.support.run import exit_code, run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

CONFIG = """
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {directory}/store}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
SIZES = {"small": 1_000, "large": 20_000_000}


def registry(port: int, directory: Path) -> Launch:
    debian("docker-registry", "docker-registry")
    config = directory / "config.yml"
    config.write_text(CONFIG.format(directory=directory, port=port), "utf-8")
    return launch("docker-registry", ["docker-registry", "serve", str(config)], directory)


def skopeo(site: Site, *arguments: str) -> str:
    env = {"HOME": str(site.directory), "XDG_RUNTIME_DIR": str(site.directory)}
    return run(["skopeo", "--insecure-policy", *arguments], env=env)


def test_an_image_is_what_was_pushed_last(both: Both) -> None:
    debian("skopeo", "skopeo")

    def steps(site: Site) -> list[object]:
        name, done = f"docker://{site.authority}/team/one:latest", list[object]()
        for kind, size in SIZES.items():
            write_image(site.directory / kind, random_bytes(size))
            skopeo(site, "copy", "-q", "--dest-tls-verify=false", f"oci:{site.directory / kind}:latest", name)
            for _ in range(2):
                raw = skopeo(site, "inspect", "--raw", "--tls-verify=false", name)
                done.append(hashlib.sha256(raw.encode()).hexdigest())
            back = site.directory / f"{kind}-back"
            skopeo(site, "copy", "-q", "--src-tls-verify=false", name, f"oci:{back}:latest")
            done.append(sorted(file.name for file in (back / "blobs" / "sha256").iterdir()))
            listed = skopeo(site, "list-tags", "--tls-verify=false", name.removesuffix(":latest"))
            done.append(msgspec.json.decode(listed, type=dict[str, object])["Tags"])
        done.append(exit_code(["skopeo", "--insecure-policy", "delete", "--tls-verify=false", name]))
        done.append(exit_code(["skopeo", "--insecure-policy", "inspect", "--tls-verify=false", name]) != 0)
        return done

    straight, through = both.run(registry, steps)
    assert through == straight
    assert straight[-2:] == [0, True]
