"""What the simulated users ask for. 95 % reads; companies, pages, people and search texts follow Zipf's law.

A user belongs to a company, holds a token, and asks only for what that company may see. Half of those who ask for the
first page of a list do not name it (`users` rather than `users?page=1`). The weights are percent of all requests.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from etter.seed.rows import inactive_users, is_admin
from etter.seed.sizes import Size
from etter.web.auth import issue_token

ETTER = "/api/etter/"
SHARED_BY_ALL = frozenset({"master_companies", "workflows", "auto_complete task", "role_adjacency"})
UNNAMED = 0.5  # of all who ask for a first page, so many do not say which page
RUN = 6  # seeded users come in runs of six per company


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to send but for the Host and the connection's own fields."""

    route: str
    method: str
    path: str
    body: bytes
    is_read: bool

    @property
    def is_personal(self) -> bool:
        """Whether the answer is for this user alone."""
        return self.route in {"projects", "check_auth"}


@dataclass(frozen=True, slots=True)
class Person:
    """A simulated user. Who administers the company changes colleagues; the others change themselves."""

    user_id: int
    company_id: int
    headers: dict[str, str]

    @property
    def is_admin(self) -> bool:
        """Whether the user may change others."""
        return is_admin(self.user_id)

    @property
    def fields(self) -> bytes:
        """The user's own fields as they travel."""
        return "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).encode()


class Zipf:
    """Ranks 1 to n, rank k drawn with a weight of 1/k."""

    def __init__(self, count: int) -> None:
        self._edges = list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))

    def draw(self, random: Random) -> int:
        """Return a rank, from 1."""
        return bisect(self._edges, random.random() * self._edges[-1]) + 1


Make = Callable[["Mix", Person, Random], Request]


class Mix:
    """Draws requests of a data set's users."""

    def __init__(self, size: Size, random: Random) -> None:
        self._size = size
        self._companies = Zipf(size.companies)
        self._staff = Zipf(size.users // size.companies)
        self._pages = Zipf(5)
        self._master_pages = Zipf(max(1, size.companies // 20))
        self._workflows = Zipf(size.workflows_per_company)
        self._user_texts, self._task_texts = Zipf(len(USER_TEXTS)), Zipf(len(TASK_TEXTS))
        # The popular companies are not simply the ones with the smallest numbers.
        self._by_rank = random.sample(range(1, size.companies + 1), size.companies)
        self._edges = list(itertools.accumulate(weight for _, weight, _ in WEIGHTS))

    def people(self, count: int, secret: str, now: dt.datetime, random: Random) -> list[Person]:
        """Make users with tokens, of those who still work there."""
        found: list[Person] = []
        gone = inactive_users(self._size)
        while len(found) < count:
            company = self._by_rank[self._companies.draw(random) - 1]
            user = self.colleague(company, random)
            if user in gone:
                continue
            token = issue_token(
                secret, user_id=user, company_id=company, role="member", expires_at=now + dt.timedelta(hours=4)
            )
            found.append(Person(user, company, {"Authorization": f"Bearer {token}"}))
        return found

    def draw(self, person: Person, random: Random) -> Request:
        """Return one request of this person."""
        return WEIGHTS[bisect(self._edges, random.random() * self._edges[-1])][2](self, person, random)

    def colleague(self, company: int, random: Random) -> int:
        """Return the id of somebody in the company; the first ones are the best known."""
        rank = self._staff.draw(random) - 1
        block, place = divmod(rank, RUN)
        return block * RUN * self._size.companies + (company - 1) * RUN + place + 1

    def workflow(self, company: int, random: Random) -> int:
        """Return one of the workflows that the company uses."""
        return (company * 11 + self._workflows.draw(random) - 1) % self._size.workflows + 1

    def page(self, random: Random) -> int:
        """Return a page number; the first is the most read."""
        return self._pages.draw(random)

    def master_page(self, random: Random) -> int:
        """Return a page of the list of all companies."""
        return self._master_pages.draw(random)

    def user_text(self, random: Random) -> str:
        """Return the beginning of somebody's name."""
        return USER_TEXTS[self._user_texts.draw(random) - 1]

    def task_text(self, random: Random) -> str:
        """Return a part of a task's name."""
        return TASK_TEXTS[self._task_texts.draw(random) - 1]


USER_TEXTS = [
    "an",
    "ma",
    "ka",
    "li",
    "jo",
    "el",
    "sa",
    "no",
    "da",
    "em",
    "ol",
    "fi",
    "ha",
    "pe",
    "ro",
    "ta",
    "vi",
    "we",
    "ya",
    "zo",
    "ann",
    "mar",
    "kai",
    "lin",
    "sam",
    "nor",
    "dan",
    "emi",
    "oma",
    "ros",
]
TASK_TEXTS = [
    "in",
    "inv",
    "pay",
    "con",
    "rep",
    "rev",
    "app",
    "onb",
    "doc",
    "cla",
    "tra",
    "bud",
    "sup",
    "shi",
    "pol",
    "ris",
    "exp",
    "aud",
    "ven",
    "ben",
]


def _get(route: str, path: str) -> Request:
    return Request(route, "GET", ETTER + path, b"", is_read=True)


def _send(route: str, method: str, path: str, body: object, *, is_read: bool = False) -> Request:
    return Request(route, method, ETTER + path, json.dumps(body).encode(), is_read)


def _complete(kind: str, text: str) -> Request:
    return _get(f"auto_complete {kind}", f"auto_complete?type={kind}&q={text}")


def _page(name: str, page: int, random: Random) -> Request:
    return _get(name, name if page == 1 and random.random() < UNNAMED else f"{name}?page={page}")


def _list(name: str) -> Make:
    return lambda mix, _person, random: _page(name, mix.page(random), random)


def _simulation(_mix: Mix, person: Person, random: Random) -> Request:
    roles = [{"role": "Clerk", "headcount": 50 + person.company_id, "avg_salary": 50_000}]
    factor = random.choice((0.1, 0.2, 0.3))
    body = {"company": f"Company {person.company_id}", "automation_factor": factor, "roles": roles}
    return _send("simulation/v1", "POST", "simulation/v1", body, is_read=True)


def _changed(mix: Mix, person: Person, random: Random) -> int:
    return mix.colleague(person.company_id, random) if person.is_admin else person.user_id


def _change_user(mix: Mix, person: Person, random: Random) -> Request:
    user = _changed(mix, person, random)
    return _send("change user", "PATCH", f"users/{user}", {"title": f"Title {random.randrange(1000)}"})


def _rename_user(mix: Mix, person: Person, random: Random) -> Request:
    user = _changed(mix, person, random)
    return _send("rename user", "PATCH", f"users/{user}", {"name": f"Ann Number {random.randrange(1000)}"})


def _create_project(_mix: Mix, _person: Person, random: Random) -> Request:
    return _send("create project", "POST", "projects", {"name": f"Project {random.randrange(1000)}"})


def _record_run(mix: Mix, person: Person, random: Random) -> Request:
    workflow = mix.workflow(person.company_id, random)
    return _send("record run", "POST", f"workflows/{workflow}/history", {"status": "done"})


def _create_document(_mix: Mix, _person: Person, random: Random) -> Request:
    body = {"title": f"Note {random.randrange(10**6)}", "body": "Written under load. " * 20}
    return _send("create document", "POST", "documents", body)


def _change_company(mix: Mix, person: Person, random: Random) -> Request:
    if not person.is_admin:
        return _change_user(mix, person, random)
    country = random.choice(("AT", "DE", "FR", "US"))
    return _send("change company", "PATCH", f"companies/{person.company_id}", {"country": country})


WEIGHTS: Sequence[tuple[str, float, Make]] = (
    ("master_companies", 12.0, lambda m, _p, r: _page("master_companies", m.master_page(r), r)),
    ("companies/{id}", 12.0, lambda _m, p, _r: _get("companies/{id}", f"companies/{p.company_id}")),
    ("users", 11.0, _list("users")),
    ("users/{id}", 9.0, lambda m, p, r: _get("users/{id}", f"users/{m.colleague(p.company_id, r)}")),
    ("auto_complete user", 11.0, lambda m, _p, r: _complete("user", m.user_text(r))),
    ("auto_complete task", 8.0, lambda m, _p, r: _complete("task", m.task_text(r))),
    ("workflows", 5.0, _list("workflows")),
    ("workflows/{id}", 8.0, lambda m, p, r: _get("workflows/{id}", f"workflows/{m.workflow(p.company_id, r)}")),
    ("documents", 4.0, _list("documents")),
    ("get_chro_data", 5.0, lambda _m, _p, _r: _get("get_chro_data", "get_chro_data")),
    ("role_adjacency", 4.0, lambda _m, _p, _r: _get("role_adjacency", "role_adjacency")),
    ("history", 2.0, _list("history")),
    ("projects", 2.0, lambda _m, _p, _r: _get("projects", "projects")),
    ("simulation/v1", 1.0, _simulation),
    ("check_auth", 1.0, lambda _m, _p, _r: _send("check_auth", "POST", "auth/check_auth", {}, is_read=True)),
    ("change user", 1.7, _change_user),
    ("rename user", 0.3, _rename_user),
    ("record run", 1.4, _record_run),
    ("create document", 0.7, _create_document),
    ("create project", 0.85, _create_project),
    ("change company", 0.05, _change_company),
)  # fmt: skip
