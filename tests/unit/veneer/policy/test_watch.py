import asyncio
import os
from pathlib import Path

from veneer.policy.load import load_policy
from veneer.policy.watch import PolicySource, ReloadOutcome, watch_file

ONE = "routes: [{name: one, match: {path: /a}}]\n"
TWO = "routes: [{name: two, match: {path: /a}}]\n"


class Steps:
    """A sleep that lets a test take one step of the watcher at a time."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        self.asked.set()
        await self.go.wait()
        self.go.clear()

    async def step(self) -> None:
        await self.asked.wait()
        self.asked.clear()
        self.go.set()
        await self.asked.wait()


class Bench:
    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.heard: list[ReloadOutcome] = []
        self.clock = 1_000_000_000
        self.write(text)
        self.source = PolicySource(load_policy(path), lambda: load_policy(path), self.heard.append)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.clock += 1
        os.utime(self.path, (self.clock, self.clock))

    def taken(self) -> str:
        return self.source.current.match("GET", "/a").route.name


async def test_a_changed_file_comes_into_force_and_is_told_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", ONE)
    before = bench.source.current
    bench.write(TWO)
    outcome = await bench.source.reload()
    assert outcome.changed
    assert bench.taken() == "two"
    assert before.match("GET", "/a").route.name == "one", "a request that began under the old policy keeps it"
    assert not (await bench.source.reload()).changed
    assert bench.heard == [outcome]


async def test_a_bad_file_leaves_the_running_policy_and_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", ONE)
    bench.write("routez: []\n")
    outcome = await bench.source.reload()
    assert bench.taken() == "one"
    assert outcome.error is not None
    assert "routez" in str(outcome.error)
    assert bench.heard == [outcome]
    bench.write(TWO)
    await bench.source.reload()
    assert bench.taken() == "two"


async def test_a_vanished_file_leaves_the_running_policy(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", ONE)
    bench.path.unlink()
    outcome = await bench.source.reload()
    assert outcome.error is not None
    assert bench.taken() == "one"


async def test_sections_read_at_start_only_are_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", ONE)
    bench.write(ONE + "stores: {memory: 1MB}\nlimits: {body: 1KB}\n")
    assert (await bench.source.reload()).needs_restart == ("stores",)


async def test_the_watcher_waits_until_a_file_is_settled(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", ONE)
    steps = Steps()
    watcher = asyncio.ensure_future(watch_file(bench.source, bench.path, steps.sleep))  # noqa: TID251 - a test's own
    try:
        await steps.step()
        bench.write("routes: []\n")
        await steps.step()
        assert bench.taken() == "one", "seen once, perhaps in mid-write"
        bench.write(TWO)
        await steps.step()
        assert bench.taken() == "one"
        await steps.step()
        assert bench.taken() == "two"
        bench.write("nonsense: 1\n")
        for _ in range(5):
            await steps.step()
        assert bench.taken() == "two"
        assert len(bench.heard) == 2, "a bad file is reported once"
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


async def test_an_emptied_file_takes_nothing_away_and_an_explicit_one_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", ONE)
    for emptied in ("", "# routes: []\n", "---\n"):
        bench.write(emptied)
        outcome = await bench.source.reload()
        assert (
            str(outcome.error) == "the policy file: is empty now; write `version: 1` to run without routes and limits"
        )
        assert bench.taken() == "one"
    bench.write("version: 1\n")
    assert (await bench.source.reload()).changed
    assert bench.taken() == "default"


async def test_a_file_that_was_empty_from_the_start_may_stay_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "p.yaml", "")
    bench.write("# still nothing\n")
    assert (await bench.source.reload()).error is None


async def test_a_volume_of_kubernetes_that_is_changed_by_renaming_a_link_is_followed(tmp_path: Path) -> None:
    """The kubelet writes a new folder and renames one link; the file that is watched never changes itself."""

    def publish(version: str, text: str) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "policies.yaml").write_text(text)
        (tmp_path / "..new").symlink_to(version)
        (tmp_path / "..new").rename(tmp_path / "..data")

    path = tmp_path / "policies.yaml"
    path.symlink_to("..data/policies.yaml")
    publish("..1", ONE)
    source, steps = PolicySource(load_policy(path), lambda: load_policy(path)), Steps()
    watching = asyncio.ensure_future(watch_file(source, path, steps.sleep))  # noqa: TID251 - a test's own
    await steps.step()
    publish("..2", TWO)
    for _ in range(3):
        await steps.step()
    assert source.current.match("GET", "/a").route.name == "two"
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
