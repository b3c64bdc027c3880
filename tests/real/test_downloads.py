"""curl, wget and aria2: whole files, ranges, resumed and split downloads, conditional requests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.real.support.both import Both, Site
from tests.real.support.files import files, random_bytes
from tests.real.support.install import debian
from tests.real.support.run import exit_code, run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

SMALL, LARGE = random_bytes(3_000_000), random_bytes(24_000_000, seed=2)
TEXT = "".join(f"line {number} of a text that can be coded\n" for number in range(3_000))
PATHS = ["/fresh/small.bin", "/small.bin", "/large.bin", "/fresh/text.txt"]


def fill(root: Path) -> None:
    for directory in (root, root / "fresh"):
        (directory / "small.bin").write_bytes(SMALL)
        (directory / "text.txt").write_text(TEXT, "utf-8")
    (root / "large.bin").write_bytes(LARGE)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def curl(site: Site, path: str, *options: str) -> tuple[str, str]:
    """Status and size as curl counts them, and the digest of what it wrote."""
    file = site.directory / "curled"
    file.unlink(missing_ok=True)
    written = run(["curl", "-s", "-o", str(file), "-w", "%{http_code} %{size_download}", *options, site.url + path])
    return written, digest(file) if file.exists() else ""


def test_curl_takes_wholes_and_ranges(both: Both) -> None:
    debian("curl", "curl")
    ranges = ["0-99", "100-", "-100", "2999999-", "0-0", "1000000-1999999"]

    def steps(site: Site) -> list[tuple[str, str]]:
        taken = [curl(site, path, "-r", span) for path in PATHS[:2] for span in ranges]
        taken += [curl(site, path) for path in PATHS]
        taken += [curl(site, path, "-r", span) for path in PATHS[:3] for span in ranges]
        beyond = run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-r", "3000000-", site.url + PATHS[0]])
        return [*taken, (beyond, "whose text is the server's own")]

    straight, through = both.run(files(fill), steps)
    assert through == straight
    assert through[-1][0] == "416"


def test_curl_resumes_where_it_left_off(both: Both) -> None:
    debian("curl", "curl")

    def steps(site: Site) -> list[tuple[str, str]]:
        done: list[tuple[str, str]] = []
        for path, content in zip(PATHS[:3], (SMALL, SMALL, LARGE), strict=True):
            for have in (0, 1, 1_000_000):
                file = site.directory / "resumed"
                file.write_bytes(content[:have])
                said = run(["curl", "-s", "-C", "-", "-o", str(file), "-w", "%{http_code}", site.url + path])
                done.append((said, digest(file)))
        return done

    straight, through = both.run(files(fill), steps)
    assert through == straight
    assert {what for _, what in through} == {hashlib.sha256(content).hexdigest() for content in (SMALL, LARGE)}


def test_curl_asks_by_tag_and_by_date(both: Both) -> None:
    debian("curl", "curl")

    def steps(site: Site) -> list[tuple[str, str]]:
        tag = str(site.directory / "tag")
        done: list[tuple[str, str]] = []
        for path in PATHS:
            for _ in range(3):
                done.append(curl(site, path, "--etag-save", tag, "--etag-compare", tag))
                done.append(curl(site, path, "-z", "2001-01-01"))
                done.append(curl(site, path, "-z", "2040-01-01"))
            Path(tag).unlink()
        return done

    straight, through = both.run(files(fill), steps)
    assert through == straight
    assert {said[:3] for said, _ in through} == {"200", "304"}


def test_a_coded_text_is_the_same_text(both: Both) -> None:
    debian("curl", "curl")

    def steps(site: Site) -> list[str]:
        codings = ["gzip", "br", "deflate", "gzip, br, zstd", "identity", "gzip;q=0"]
        return [curl(site, PATHS[3], "--compressed", "-H", f"Accept-Encoding: {coding}")[1] for coding in codings * 2]

    straight, through = both.run(files(fill), steps)
    assert through == straight
    assert set(through) == {hashlib.sha256(TEXT.encode()).hexdigest()}


def test_wget_resumes_and_looks_at_the_date(both: Both) -> None:
    debian("wget", "wget")

    def steps(site: Site) -> list[tuple[int, str, int]]:
        done: list[tuple[int, str, int]] = []
        for path in PATHS:
            file = site.directory / path.rpartition("/")[2]
            for options in (["-c"], ["-c"], ["-N"], ["-N"]):
                code = exit_code(["wget", "-q", *options, site.url + path], cwd=site.directory)
                done.append((code, digest(file), file.stat().st_size))
                if options == ["-c"]:
                    file.write_bytes(file.read_bytes()[: len(TEXT) // 2])
            file.unlink()
        return done

    straight, through = both.run(files(fill), steps)
    assert through == straight
    assert {code for code, _, _ in through} == {0}


def test_aria2_fetches_in_pieces(both: Both) -> None:
    debian("aria2", "aria2c")

    def steps(site: Site) -> list[str]:
        done: list[str] = []
        for path in PATHS[:3] * 2:
            file = site.directory / "pieces"
            file.unlink(missing_ok=True)
            pieces = ["-x", "8", "-s", "8", "-k", "1M", "--file-allocation=none", "--no-conf", "--quiet"]
            run(["aria2c", *pieces, "-d", str(site.directory), "-o", "pieces", site.url + path])
            done.append(digest(file))
        return done

    straight, through = both.run(files(fill), steps)
    assert through == straight
