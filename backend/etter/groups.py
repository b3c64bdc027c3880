"""Names of the cache groups (RFC 9875): who shows a thing lists its groups, who changes it invalidates them.

Groups are as fine as what a change touches. A page that shows user 42 is in `user:42`, or in `user:42:name` when it
shows no more than the name; so a new title reaches the pages on which it stands and no other. What depends on who
there is at all (lists, counts, completions) is in the company's staff as well, which changes only with people who come
and go; and what depends on how people are called (searches, orders, completions) is in groups of names.
"""

from collections.abc import Iterable

USERS = "users"
COMPANIES = "companies"
WORKFLOWS = "workflows"
TASKS = "tasks"
ROLES = "roles"
DOCUMENTS = "documents"
SIMULATIONS = "simulations"

_PART = 2
# RFC 9875 section 2 asks caches for 32 groups in a field at least.
_MAX_PARTS = 28


def company(company_id: int) -> str:
    """Whatever shows the company's own facts."""
    return f"company:{company_id}"


def company_name(company_id: int) -> str:
    """Whatever shows the company's name and none of its other facts."""
    return f"company:{company_id}:name"


def companies_shown(company_ids: Iterable[int]) -> tuple[str, ...]:
    """Name the groups of all companies on a page."""
    return tuple(map(company, company_ids))


def company_staff(company_id: int) -> str:
    """Whatever depends on who works for the company, and who of them is active."""
    return f"company:{company_id}:staff"


def company_names(company_id: int) -> str:
    """Whatever is searched or ordered by the names or addresses of the company's people."""
    return f"company:{company_id}:names"


def company_completion(company_id: int, text: str) -> str:
    """Name the group of completions of a text: those of `ann` depend on names that contain `an`, and no others.

    With an `@` in it a text is looked for in addresses.
    """
    start = text[:_PART].lower()
    exact = len(start) == _PART and start.isascii() and start.isalnum() and "@" not in text
    return f"{company_names(company_id)}:{start}" if exact else company_names(company_id)


def renamed(company_id: int, before: str, after: str) -> tuple[str, ...]:
    """Name the groups of what depends on one person's name, for the old one and the new one.

    Letters that are not ASCII have lower cases on which Python and PostgreSQL may differ, and very long names have very
    many parts: then all that depends on the staff counts as touched.
    """
    parts = {name[at : at + _PART].lower() for name in (before, after) for at in range(len(name) - 1)}
    if not (before + after).isascii() or len(parts) > _MAX_PARTS:
        return company_names(company_id), company_staff(company_id)
    of_parts = {company_completion(company_id, part) for part in parts}
    return tuple(sorted(of_parts | {company_names(company_id)}))


def company_documents(company_id: int) -> str:
    """Whatever lists documents of the company."""
    return f"company:{company_id}:documents"


def company_history(company_id: int) -> str:
    """Whatever sums up workflow runs of the company."""
    return f"company:{company_id}:history"


def company_workflow(company_id: int, workflow_id: int) -> str:
    """Whatever shows the company's runs of one workflow."""
    return f"company:{company_id}:workflow:{workflow_id}"


def user(user_id: int) -> str:
    """Whatever shows something of one user."""
    return f"user:{user_id}"


def user_name(user_id: int) -> str:
    """Whatever shows one user's name and nothing else of the user."""
    return f"user:{user_id}:name"


def user_runs(user_id: int) -> str:
    """Whatever lists one user's workflow runs."""
    return f"user:{user_id}:runs"


def users_shown(user_ids: Iterable[int]) -> tuple[str, ...]:
    """Name the groups of all users on a page."""
    return tuple(map(user, user_ids))


def users_named(user_ids: Iterable[int]) -> tuple[str, ...]:
    """Name the groups of all users whose names are on a page, each once."""
    return tuple(map(user_name, dict.fromkeys(user_ids)))


def workflow(workflow_id: int) -> str:
    """Whatever shows one workflow in detail."""
    return f"workflow:{workflow_id}"


def document(document_id: int) -> str:
    """Whatever shows one document in detail."""
    return f"document:{document_id}"


def company_dashboard(company_id: int) -> str:
    """Whatever shows the company's scores."""
    return f"company:{company_id}:dashboard"
