"""git over HTTP: clone, push of 50 MB, fetch of it by another clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.support.both import Both, Site
from tests.real.support.files import files, random_bytes
from tests.real.support.install import debian
from tests.real.support.run import run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

BACKEND = Path("/usr/lib/git-core/git-http-backend")
CGI = f"""
$HTTP["url"] =~ "^/git/" {{
  alias.url = ( "/git/" => "{BACKEND}/" )
  cgi.assign = ( "" => "" )
  setenv.add-environment = ( "GIT_PROJECT_ROOT" => "DIRECTORY/git", "GIT_HTTP_EXPORT_ALL" => "1" )
}}
"""
WHO = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{role}_{what}": "test@example.test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def git(directory: Path, *arguments: str) -> str:
    return run(["git", *arguments], cwd=directory, env=WHO).strip()


def a_repository(root: Path) -> None:
    repository = root.parent / "git" / "one.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "--bare", "-b", "main")
    git(repository, "config", "http.receivepack", "true")


def commit(clone: Path, name: str, content: bytes) -> None:
    (clone / name).write_bytes(content)
    git(clone, "add", name)
    git(clone, "commit", "-q", "-m", f"Add {name}")


def test_what_one_clone_pushes_another_fetches(both: Both) -> None:
    debian("git", "git")
    if not BACKEND.exists():
        pytest.skip("git came without git-http-backend")

    def steps(site: Site) -> list[str]:
        url, here = f"{site.url}/git/one.git", site.directory
        git(here, "clone", "-q", url, "mine")
        commit(here / "mine", "small.txt", b"small\n")
        git(here / "mine", "push", "-q", "origin", "HEAD:main")
        git(here, "clone", "-q", url, "theirs")
        told = [git(here, "ls-remote", url)]
        commit(here / "mine", "large.bin", random_bytes(50_000_000))
        git(here / "mine", "push", "-q", "origin", "HEAD:main")
        told.append(git(here, "ls-remote", url))
        git(here / "theirs", "pull", "-q")
        told.append(git(here / "theirs", "rev-parse", "HEAD"))
        git(here, "clone", "-q", "--depth", "1", url, "shallow")
        told.append(git(here / "shallow", "rev-parse", "HEAD:large.bin"))
        git(here / "theirs", "fsck", "--full")
        git(here / "mine", "push", "-q", "origin", "HEAD:other")
        told.append(git(here, "ls-remote", url))
        return told

    straight, through = both.run(files(a_repository, CGI), steps)
    assert through == straight
