"""The schema's history, as Alembic revisions. Secondary indexes are kept under `indexes/`."""
