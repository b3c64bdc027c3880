"""Names of the cache groups (RFC 9875): who shows a thing lists its groups, who changes it invalidates them.

A response that shows any user of company 7 is in `company:7:users`, so an update of one user reaches every list,
detail and dashboard of that company and nothing of the others.
"""

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


def company_users(company_id: int) -> str:
    """Whatever shows users of the company, or counts them."""
    return f"company:{company_id}:users"


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
    """Whatever shows one user in detail."""
    return f"user:{user_id}"


def workflow(workflow_id: int) -> str:
    """Whatever shows one workflow in detail."""
    return f"workflow:{workflow_id}"


def document(document_id: int) -> str:
    """Whatever shows one document in detail."""
    return f"document:{document_id}"


def company_dashboard(company_id: int) -> str:
    """Whatever shows the company's scores."""
    return f"company:{company_id}:dashboard"
