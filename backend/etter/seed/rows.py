"""The rows of a data set: the same for the same size, on every machine and in every run."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from etter.seed import words
from etter.seed.sizes import Size

Value = int | float | str | bool | None
Row = tuple[Value, ...]
_EPOCH = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
_YEAR_MINUTES = 365 * 24 * 60
# Users come in runs of six per company, so that small ids are easy to remember: user 42 works for company 7.
_RUN = 6
# Rare states are what an index on a status is for.
_RUN_STATES = ("done",) * 70 + ("running",) * 15 + ("planned",) * 14 + ("failed",)
_DOCUMENT_STATES = ("published",) * 80 + ("draft",) * 19 + ("quarantined",)
_PROJECT_STATES = ("active",) * 60 + ("finished",) * 39 + ("blocked",)


@dataclass(frozen=True, slots=True)
class Table:
    """A table to fill: its columns and a function that makes its rows from a size and a random source."""

    name: str
    columns: tuple[str, ...]
    count: Callable[[Size], int]
    make: Callable[[Size, Random], Iterator[Row]]


def company_of(user_id: int, companies: int) -> int:
    """Return the company a seeded user works for."""
    return (user_id - 1) // _RUN % companies + 1


def is_admin(user_id: int) -> bool:
    """Tell whether a seeded user administers the company: the last of each run does, so user 42 as well."""
    return user_id % _RUN == 0


def _moment(random: Random) -> str:
    return (_EPOCH + dt.timedelta(minutes=int(random.random() * _YEAR_MINUTES))).isoformat()


def _text(random: Random, sentences: int) -> str:
    return " ".join(random.choices(words.SENTENCES, k=sentences))


def _companies(size: Size, random: Random) -> Iterator[Row]:
    for row in range(size.companies):
        tail, head = divmod(row, len(words.COMPANY_HEAD))
        name = f"{words.COMPANY_HEAD[head]} {words.COMPANY_TAIL[tail % len(words.COMPANY_TAIL)]}"
        made = _moment(random)
        yield row + 1, name, random.choice(words.INDUSTRIES), random.choice(words.COUNTRIES), made, made


def _roles(size: Size, _random: Random) -> Iterator[Row]:
    for row in range(size.roles):
        level, family = divmod(row, len(words.FAMILIES))
        rank = level % len(words.LEVELS)
        area = "" if level < len(words.LEVELS) else " (regional)"
        yield row + 1, f"{words.FAMILIES[family]} {words.LEVELS[rank]}{area}", words.FAMILIES[family], rank + 1


def _adjacency(size: Size, random: Random) -> Iterator[Row]:
    for role in range(1, size.roles + 1):
        for step in range(1, 9):
            neighbour = (role + step * 7 - 1) % size.roles + 1
            if neighbour != role:
                yield role, neighbour, round(random.random(), 3)


def _tasks(size: Size, _random: Random) -> Iterator[Row]:
    for row in range(size.tasks):
        verb, what = divmod(row, len(words.OBJECTS))
        name = f"{words.VERBS[verb % len(words.VERBS)]} {words.OBJECTS[what]}"
        yield row + 1, name, words.FUNCTIONS[row % len(words.FUNCTIONS)]


def _workflows(size: Size, random: Random) -> Iterator[Row]:
    for row in range(size.workflows):
        verb, what = divmod(row * 7, len(words.OBJECTS))
        name = f"{words.VERBS[verb % len(words.VERBS)]} {words.OBJECTS[what]} #{row + 1}"
        status = "active" if row % 10 else "draft"
        made = _moment(random)
        yield row + 1, name, _text(random, 8), words.FUNCTIONS[row % len(words.FUNCTIONS)], status, made, made


def _steps(size: Size, random: Random) -> Iterator[Row]:
    for row in range(size.workflows * 6):
        workflow, position = divmod(row, 6)
        task = int(random.random() * size.tasks) + 1
        name = f"{random.choice(words.VERBS)} {random.choice(words.OBJECTS)}"
        minutes = 5 + int(random.random() * 115)
        yield row + 1, workflow + 1, position + 1, name, task, minutes, round(random.random(), 2)


def _users(size: Size, random: Random) -> Iterator[Row]:
    for user in range(1, size.users + 1):
        company = company_of(user, size.companies)
        first, last = random.choice(words.FIRST), random.choice(words.LAST)
        title = f"{random.choice(words.FAMILIES)} {random.choice(words.LEVELS)}"
        email = f"{first}.{last}.{user}@company{company}.example".lower()
        made = _moment(random)
        active = random.random() < 0.9
        yield user, company, email, f"{first} {last}", title, _text(random, 4), active, is_admin(user), made, made


def inactive_users(size: Size) -> frozenset[int]:
    """Return the seeded users who do not work there any more: their tokens are worth nothing."""
    (number,) = (number for number, table in enumerate(TABLES) if table.make is _users)
    place = TABLES[number].columns.index("is_active")
    return frozenset(int(row[0] or 0) for row in _users(size, source_of(number)) if not row[place])


def source_of(table: int) -> Random:
    """Return the random source of a table by its number: a change to the rows of one leaves the others as they were."""
    return Random(table)  # noqa: S311 - sample data, no secret


def _user_roles(size: Size, random: Random) -> Iterator[Row]:
    for user in range(1, size.users + 1):
        first = int(random.random() * size.roles)
        yield user, first + 1
        if user % 3 == 0:
            yield user, (first + 1) % size.roles + 1


def _teams(size: Size, _random: Random) -> Iterator[Row]:
    for row in range(size.companies * size.teams_per_company):
        company, number = divmod(row, size.teams_per_company)
        yield row + 1, company + 1, f"{words.FUNCTIONS[number % len(words.FUNCTIONS)]} team {number + 1}"


def _team_members(size: Size, random: Random) -> Iterator[Row]:
    for user in range(1, size.users + 1):
        company = company_of(user, size.companies)
        number = int(random.random() * size.teams_per_company)
        yield (company - 1) * size.teams_per_company + number + 1, user


def _projects(size: Size, random: Random) -> Iterator[Row]:
    for row in range(1, size.projects + 1):
        user = int(random.random() * size.users) + 1
        name = f"{random.choice(words.VERBS)} {random.choice(words.OBJECTS)}"
        status = random.choice(_PROJECT_STATES)
        company = company_of(user, size.companies)
        yield row, company, user, name, _text(random, 5), status, _moment(random)


def _documents(size: Size, random: Random) -> Iterator[Row]:
    for row in range(1, size.documents + 1):
        title = f"{random.choice(words.OBJECTS).capitalize()} handbook {row}"
        tenant = int(random.random() * size.companies) + 1
        yield row, tenant, title, _text(random, 10), random.choice(_DOCUMENT_STATES), _moment(random)


def _workflow_of(size: Size, company: int, number: int) -> int:
    """Return one of the workflows that a company uses: each company knows a part of the library."""
    return (company * 11 + number) % size.workflows + 1


def _history(size: Size, random: Random) -> Iterator[Row]:
    for row in range(1, size.history + 1):
        started = _moment(random)
        status = random.choice(_RUN_STATES)
        user = int(random.random() * size.users) + 1
        number = int(random.random() * size.workflows_per_company)
        company = company_of(user, size.companies)
        workflow = _workflow_of(size, company, number)
        yield row, user, company, workflow, status, started, started if status in {"done", "failed"} else None


def _entries(size: Size, random: Random) -> Iterator[Row]:
    each = size.workflows_per_company
    for row in range(size.companies * each):
        company, number = divmod(row, each)
        workflow = _workflow_of(size, company + 1, number)
        score = round(random.random() * 100, 1)
        validated = round(score * 0.9, 1) if random.random() < 0.5 else None
        yield row + 1, company + 1, workflow, score, validated, _moment(random)


TABLES = (
    Table(
        "companies",
        ("id", "name", "industry", "country", "created_at", "updated_at"),
        lambda size: size.companies,
        _companies,
    ),
    Table("roles", ("id", "name", "family", "level"), lambda size: size.roles, _roles),
    Table("role_adjacency", ("role_id", "adjacent_role_id", "similarity"), lambda size: size.roles * 8, _adjacency),
    Table("tasks", ("id", "name", "category"), lambda size: size.tasks, _tasks),
    Table(
        "workflows",
        ("id", "name", "description", "function", "status", "created_at", "updated_at"),
        lambda size: size.workflows,
        _workflows,
    ),
    Table(
        "workflow_steps",
        ("id", "workflow_id", "position", "name", "task_id", "minutes", "automation"),
        lambda size: size.workflows * 6,
        _steps,
    ),
    Table(
        "users",
        ("id", "company_id", "email", "name", "title", "bio", "is_active", "is_admin", "created_at", "updated_at"),
        lambda size: size.users,
        _users,
    ),
    Table("user_roles", ("user_id", "role_id"), lambda size: size.users * 4 // 3, _user_roles),
    Table("teams", ("id", "company_id", "name"), lambda size: size.companies * size.teams_per_company, _teams),
    Table("team_members", ("team_id", "user_id"), lambda size: size.users, _team_members),
    Table(
        "projects",
        ("id", "company_id", "user_id", "name", "description", "status", "created_at"),
        lambda size: size.projects,
        _projects,
    ),
    Table(
        "documents",
        ("id", "tenant_id", "title", "body", "status", "created_at"),
        lambda size: size.documents,
        _documents,
    ),
    Table(
        "user_workflow_history",
        ("id", "user_id", "company_id", "workflow_id", "status", "started_at", "finished_at"),
        lambda size: size.history,
        _history,
    ),
    Table(
        "chro_dashboard_entry",
        ("id", "company_id", "workflow_id", "etter_score", "validated_score", "updated_at"),
        lambda size: size.companies * size.workflows_per_company,
        _entries,
    ),
)
