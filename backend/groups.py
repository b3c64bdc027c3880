"""Names of the cache groups (RFC 9875): who shows a thing lists its groups, who changes it invalidates them.

A page that shows user 42 is in `user:42`, so a new title reaches every page on which it stands and no other. What
depends on who there is at all (lists, counts, completions) is in the company's roster as well, which changes only with
names, addresses, states, and people who come and go.
"""

from collections.abc import Iterable

USERS = "users"
COMPANIES = "companies"
WORKFLOWS = "workflows"
TASKS = "tasks"
ROLES = "roles"
DOCUMENTS = "documents"
SIMULATIONS = "simulations"


def company(company_id: int) -> str:
    """Whatever shows the company's own facts."""
    return f"company:{company_id}"


def company_roster(company_id: int) -> str:
    """Whatever depends on who works for the company: membership, names, addresses, states."""
    return f"company:{company_id}:roster"


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


def user_runs(user_id: int) -> str:
    """Whatever lists one user's workflow runs."""
    return f"user:{user_id}:runs"


def users_shown(user_ids: Iterable[int]) -> tuple[str, ...]:
    """Name the groups of all users on a page, each once."""
    return tuple(user(user_id) for user_id in dict.fromkeys(user_ids))


def workflow(workflow_id: int) -> str:
    """Whatever shows one workflow in detail."""
    return f"workflow:{workflow_id}"


def document(document_id: int) -> str:
    """Whatever shows one document in detail."""
    return f"document:{document_id}"


def company_dashboard(company_id: int) -> str:
    """Whatever shows the company's scores."""
    return f"company:{company_id}:dashboard"
