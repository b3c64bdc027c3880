"""The Etter backend as processes: its one-off commands, and the service itself."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from devstack.callers import development_environment
from devstack.process import Launch, ManagedProcess, StartError, free_port


@dataclass(frozen=True, slots=True)
class Step:
    """One command that runs to its end: a name for messages, the module, its arguments and environment."""

    name: str
    arguments: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict[str, str])


def preparation(database_url: str, size: str) -> tuple[Step, ...]:
    """Return what turns an empty database into a seeded one, in order; each step is safe to repeat."""
    return (
        Step("schema", ("etter.migrate", "--database-url", database_url)),
        Step("indexes", ("etter.indexes", "apply", "--database-url", database_url)),
        Step("data", ("etter.seed", "--database-url", database_url, "--size", size)),
    )


def run_step(step: Step, log_directory: Path, *, show_output: bool = False, timeout_s: float = 600) -> str:
    """Run one command to its end and return its output; a failure is a StartError with its last line."""
    log_path = log_directory / f"{step.name}.log"
    log_path.unlink(missing_ok=True)
    argv = [sys.executable, "-m", *step.arguments]
    child = ManagedProcess(Launch(f"backend {step.name}", argv, log_path, step.env, inherit_output=show_output))
    try:
        child.start()
        ended = child.wait(timeout_s)
    finally:
        child.stop()
    if not ended or child.exit_code:
        reason = _complaint(child) if ended else f"not done after {timeout_s:g} s"
        raise StartError(f"backend {step.name} failed: {reason}")
    return child.log_text()


def _complaint(child: ManagedProcess) -> str:
    # The backend's commands put their own word first; a database error has more lines after it.
    own = [line for line in child.log_lines() if line.startswith("etter: ")]
    return own[-1] if own else child.last_line()


def token(user_id: int, company_id: int, log_directory: Path) -> str:
    """Return a development bearer token for one user of one company."""
    step = Step(
        "token", ("etter.token", "--user", str(user_id), "--company", str(company_id)), development_environment()
    )
    return run_step(step, log_directory, timeout_s=30).strip().splitlines()[-1]


class BackendServer:
    """The Etter service in one process, on a port of 127.0.0.1."""

    def __init__(
        self,
        database_url: str,
        directory: Path,
        *,
        port: int | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        argv = [sys.executable, "-m", "etter", "serve", "--listen", f"127.0.0.1:{self.port}"]
        argv += ["--database-url", database_url]
        whole = development_environment() | (env or {})
        self.process = ManagedProcess(Launch("backend", argv, directory / "backend.log", whole))

    @property
    def url(self) -> str:
        """The service's base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until /health answers 200."""
        self.process.start()
        self.process.wait_ready(lambda: answers(f"{self.url}/health"))

    def stop(self) -> None:
        """Stop in order (SIGTERM)."""
        self.process.stop()


def answers(url: str) -> bool:
    """Whether a GET of the URL is answered with 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
