"""npm on verdaccio: a scoped package is published, looked at, installed, published again and taken back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, launch
from tests.real.support.install import node_group
from tests.real.support.run import exit_code, run

pytestmark = [pytest.mark.timeout(600)]

CONFIG = """
storage: {directory}/storage
auth: {{htpasswd: {{file: {directory}/htpasswd, algorithm: bcrypt, rounds: 4}}}}
uplinks: {{}}
packages:
  '@veneer/*': {{access: $all, publish: $authenticated, unpublish: $authenticated}}
  '**': {{access: $all, publish: $authenticated}}
log: {{type: stdout, level: warn}}
"""
# npm asks for @veneer%2fprobe; `encoded_slash` keeps it as it is.
SCOPED = "version: 1\nlimits: {encoded_slash: keep}\n"
KEEPING = (
    SCOPED
    + """
routes:
  - name: packages
    match: {path: "/{rest:path}", methods: [GET]}
    cache: {ttl: 1h, key: {headers: [Accept]}, tags: [packages]}
  - {name: changes, match: {path: "/{rest:path}", methods: [PUT, DELETE]}, invalidates: [packages]}
"""
)


def verdaccio(port: int, directory: Path) -> Launch:
    config = directory / "config.yaml"
    config.write_text(CONFIG.format(directory=directory), "utf-8")
    argv = [node_group("verdaccio").program("verdaccio"), "--config", str(config), "--listen", f"127.0.0.1:{port}"]
    return launch("verdaccio", argv, directory, {"HOME": str(directory)})


def signed_in(site: Site) -> dict[str, str]:
    """npm's environment: no settings of this machine, and the token of a new user."""
    home = site.directory / "home"
    home.mkdir()
    user = {"name": "ann", "password": "of the test"}
    content = msgspec.json.encode({"_id": "org.couchdb.user:ann", **user, "type": "user", "roles": []})
    curl = ["curl", "-s", "--fail-with-body", "-X", "PUT", "-H", "Content-Type: application/json"]
    said = run([*curl, "--data-binary", content.decode(), f"{site.url}/-/user/org.couchdb.user:ann"])
    token = msgspec.json.decode(said, type=dict[str, object])["token"]
    (home / ".npmrc").write_text(f"registry={site.url}/\n//{site.authority}/:_authToken={token}\n", "utf-8")
    settings = {"audit": "false", "fund": "false", "update_notifier": "false", "fetch_retries": "0"}
    return {
        "HOME": str(home),
        "npm_config_userconfig": str(home / ".npmrc"),
        "npm_config_globalconfig": str(home / "none"),
        "npm_config_cache": str(home / "cache"),
        "npm_config_registry": f"{site.url}/",
        **{f"npm_config_{name}": value for name, value in settings.items()},
    }


def package(directory: Path, version: str) -> Path:
    made = directory / f"probe-{version}"
    made.mkdir()
    (made / "package.json").write_bytes(msgspec.json.encode({"name": "@veneer/probe", "version": version}))
    (made / "index.js").write_text(f"module.exports = '{version}';\n", "utf-8")
    return made


def steps(site: Site) -> list[object]:
    env, here = signed_in(site), site.directory
    done: list[object] = []
    for version in ("1.0.0", "1.1.0"):
        done.append(exit_code(["npm", "view", f"@veneer/probe@{version}", "version"], env=env))
        run(["npm", "publish", "--access", "public"], cwd=package(here, version), env=env)
        done.append(msgspec.json.decode(run(["npm", "view", "@veneer/probe", "versions", "--json"], env=env)))
        target = here / f"site-{version}"
        target.mkdir()
        (target / "package.json").write_text("{}", "ascii")
        run(["npm", "install", "--no-package-lock", "--prefer-online", "@veneer/probe"], cwd=target, env=env)
        done.append((target / "node_modules" / "@veneer" / "probe" / "index.js").read_text("utf-8"))
    run(["npm", "unpublish", "@veneer/probe@1.1.0"], env=env)
    done.append(run(["npm", "view", "@veneer/probe", "version", "--prefer-online"], env=env))
    return done


@pytest.mark.parametrize(
    "policies", [pytest.param(SCOPED, id="as-it-comes"), pytest.param(KEEPING, id="with-ttl", marks=pytest.mark.quick)]
)
def test_a_scoped_package_is_there_for_all_as_soon_as_it_is_published(both: Both, policies: str) -> None:
    both.policies = policies
    straight, through = both.run(verdaccio, steps)
    assert through == straight
    assert straight[2] == "module.exports = '1.0.0';\n"
    assert straight[5] == "module.exports = '1.1.0';\n"
