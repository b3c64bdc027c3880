"""WebDAV and CalDAV: edits with If-Match, MOVE and COPY, collections that go."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, facts, launch
from tests.real.support.install import python_group
from tests.real.support.run import run
from tests.support.client import Answer, fetch

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

# Without one, what WsgiDAV says is kept by the guess that Last-Modified allows.
KEEPING = 'version: 1\nroutes:\n  - {name: all, match: {path: "/{rest:path}", methods: [GET]}, cache: {ttl: 1h}}\n'
CODED = {"Accept-Encoding": "gzip, br, zstd"}
TEXTS = [f"{word} edition\n" * 500 for word in ("first", "second", "third")]


def wsgidav(port: int, directory: Path) -> Launch:
    served = directory / "files"
    served.mkdir()
    return launch("wsgidav", python_group("dav").script("dav_server.py", str(port), str(served)), directory)


def radicale(port: int, directory: Path) -> Launch:
    argv = [python_group("dav").program("python"), "-m", "radicale", "--hosts", f"127.0.0.1:{port}"]
    argv += ["--storage-filesystem-folder", str(directory), "--auth-type", "none", "--rights-type", "owner_only"]
    return launch("radicale", argv, directory)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body.decode() if answer.status == 200 else ""


def edits(site: Site) -> list[object]:
    """Two editors with coded copies: the second one's copy is old when it is saved."""
    url, done = f"{site.url}/page.txt", list[object]()
    done.append(fetch(url, "PUT", body=TEXTS[0].encode()).status)
    ours, theirs = fetch(url, headers=CODED), fetch(url, headers=CODED)
    for copy, text in ((ours, TEXTS[1]), (theirs, TEXTS[2])):
        tag = copy.header("ETag") or ""
        done.append(fetch(url, "PUT", headers={"If-Match": tag}, body=text.encode()).status)
        done.append(told(site.get("/page.txt")))
    fresh = fetch(url, headers=CODED).header("ETag") or ""
    done.append(fetch(url, headers={**CODED, "If-None-Match": fresh}).status)
    done.append(fetch(url, "DELETE", headers={"If-Match": fresh}).status)
    done.append(site.get("/page.txt").status)
    return done


def moves(site: Site) -> list[object]:
    """Each name is looked at before and after something is moved or copied onto it, or goes."""
    done = list[object]()
    names = ["/dir/one.txt", "/dir/report (1).txt", "/dir/it's.txt", "/dir/plus+and&.txt"]
    written = ["/dir/one.txt", "/dir/report%20(1).txt", "/dir/it's.txt", "/dir/plus%2Band%26.txt"]
    other = ["/dir/one.txt", "/dir/report%20%281%29.txt", "/dir/it%27s.txt", "/dir/plus%2band%26.txt"]
    assert len(names) == len(written)

    def see(*paths: str) -> None:
        done.extend(told(site.get(path)) for path in paths for _ in range(2))

    done.append(fetch(f"{site.url}/dir", "MKCOL").status)
    for path in written:
        done.append(fetch(site.url + path, "PUT", body=path.encode() * 2).status)
    see(*written, *other)
    for path in other:
        done.append(fetch(site.url + path, "PUT", body=b"by another spelling").status)
    see(*written, *other)
    for method in ("COPY", "MOVE"):
        fields = {"Destination": f"{site.url}/dir/one.txt", "Overwrite": "T"}
        done.append(fetch(f"{site.url}{written[1]}", method, headers=fields).status)
        see("/dir/one.txt", written[1], other[1])
    done.append(fetch(f"{site.url}/dir/", "MOVE", headers={"Destination": f"{site.url}/moved/"}).status)
    see("/dir/one.txt", "/dir/it's.txt", "/moved/one.txt")
    done.append(fetch(f"{site.url}/moved/", "DELETE").status)
    see("/moved/one.txt", "/moved/it's.txt")
    return done


@pytest.mark.parametrize("policies", [None, KEEPING], ids=["as-it-comes", "with-ttl"])
def test_who_edits_an_old_copy_is_told_so(both: Both, policies: str | None) -> None:
    both.policies = policies
    straight, through = both.run(wsgidav, edits)
    assert through == straight
    assert [one for one in straight if isinstance(one, int)] == [201, 204, 412, 304, 204, 404]


@pytest.mark.parametrize("policies", [None, KEEPING], ids=["as-it-comes", "with-ttl"])
def test_nothing_is_shown_where_it_no_longer_is(both: Both, policies: str | None) -> None:
    both.policies = policies
    straight, through = both.run(wsgidav, moves)
    assert through == straight


def test_a_calendar_is_edited_and_moved(both: Both) -> None:
    def steps(site: Site) -> object:
        return facts(run(python_group("dav").script("calendar_steps.py", site.url)))

    straight, through = both.run(radicale, steps)
    assert through == straight
