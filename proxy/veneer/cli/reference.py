"""Writes docs/cli.md from the parsers, so that what operators read is what is taken.

`python -m veneer.cli.reference docs/cli.md` renews it; a test fails while it is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from veneer.cli.main import build_parser
from veneer.policy.generated import write_generated

INTRODUCTION: Final = """\
# The command line

Generated from the parsers; run `python -m veneer.cli.reference docs/cli.md` after a change there.

```
veneer serve --upstream http://127.0.0.1:8000    # run the proxy
veneer check-policies policies.yaml              # is the file right, and what does it come to?
veneer explain /users/42 --policies policies.yaml --ask    # one decision, without a running proxy
veneer status                                    # a running proxy at a glance
veneer stored http://127.0.0.1:8080/users/42     # what is stored for a URL
veneer purge --dry-run 'users:*'                 # what would a purge reach?
veneer tail --status 5xx                         # follow the access log
veneer top                                       # requests, hits and latencies by route
```

## A running proxy

`status`, `health`, `routes`, `config`, `stored`, `purge`, `tail` and `top` ask the [admin
listener](operations.md#what-to-watch): `--admin`, else `VENEER_ADMIN`, else 127.0.0.1:9090. With several workers each
answers for all of them. Where the listener asks for a token, it is read from `--token-file`, else from the file that
`VENEER_ADMIN_TOKEN_FILE` names, else from `VENEER_ADMIN_TOKEN`; it is no argument, as others see those. Each takes
`--json`: the answer as the listener gives it, one object (`tail` and `top`: one a line).

`veneer purge` looks before it purges: what it reaches in memory and in Redis, and tags that look alike and would stay
(`user:42` beside `users:*`). From 1,000 responses on, or where not all could be looked at, it asks; without a
terminal it purges nothing then. `--yes` does without looking. `veneer tail` costs the proxy nothing while nobody
follows; at most 8 may, and a reader that is too slow is told how many lines it has missed. Query values that are
secrets by their names are masked, as in the log itself.

## Exit statuses

| status | meaning |
|---|---|
| 0 | as it should be |
| 1 | the answer is not, or something could not be done |
| 2 | told something wrong: an unknown flag, a bad value; for `serve` a policy file that is wrong |
| 3 | nobody could be asked: nothing listens there, the token is not taken, or another server answers |

1 is said where a policy file is wrong, `status` or `health` found something down, nothing is `stored`, nothing was
purged or not everywhere, requests of `warm` failed, a database cannot be followed or its changes have not arrived, the
listener refused the question, or `serve` could not listen. `changes wait` and `warm` say 1 where nobody answers, as
they always have.

## Completion

```
source <(veneer completion bash)                                          # in ~/.bashrc
veneer completion zsh > "${fpath[1]}/_veneer"
veneer completion fish > ~/.config/fish/completions/veneer.fish
```

## An editor that knows policies.yaml

`docs/policies.schema.json` is a JSON Schema made of what checks the file; `veneer schema` prints that of the
installed version. Editors with yaml-language-server (VS Code, Neovim, Helix, Zed) read it by the first line of a
policy:

```yaml
# yaml-language-server: $schema=policies.schema.json
```

It knows keys, spellings and meanings. What depends on more than one place (names that have to exist, routes that
nothing reaches), on bounds of durations and sizes, or on other files is for `veneer check-policies`, whose `--json`
gives each problem its file, line and column.

## Commands
"""

_HIDDEN: Final = frozenset({"help", "version"})


def render() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_commands(build_parser(), "veneer")])


def _commands(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001 - argparse tells its flags nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for command, below in action.choices.items():
                yield from _command(below, f"{name} {command}", helps.get(command, ""))


def _command(parser: argparse.ArgumentParser, name: str, what: str) -> Iterator[str]:
    flags = [action for action in parser._actions if action.dest not in _HIDDEN]  # noqa: SLF001
    plain = [action for action in flags if not isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    yield f"### {name}\n"
    yield f"{what[:1].upper()}{what[1:]}.\n"
    if plain:
        yield "| argument | meaning |\n|---|---|"
        yield from (f"| {_spelling(action)} | {_meaning(action)} |" for action in plain)
        yield ""
    yield from _commands(parser, name)


def _spelling(action: argparse.Action) -> str:
    shown = (
        action.metavar if isinstance(action.metavar, str) else " ".join(map(str, action.choices or ())) or action.dest
    )
    value = "" if action.nargs == 0 else f" {shown}"
    if not action.option_strings:
        return f"`{shown}`"
    return f"`{', '.join(action.option_strings)}{value}`".replace("|", "\\|")


def _meaning(action: argparse.Action) -> str:
    words = (action.help or "").replace("|", "\\|").replace("%%", "%")
    more = " (required)" if action.required and action.option_strings else ""
    return f"{words}{more}"


def main(arguments: list[str]) -> int:
    """Write the page to the path given."""
    return write_generated(render, "python -m veneer.cli.reference docs/cli.md", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
