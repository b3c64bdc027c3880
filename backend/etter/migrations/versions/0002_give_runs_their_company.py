"""Give runs their company: a company's lists and dashboards need not look at the runs of all others.

Safe beside a running service, also one of the version before: no statement holds a lock for longer than a moment. The
column comes empty, rows without a company get one by a trigger, and those that were there are filled in batches.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
_RUNS = "user_workflow_history"
_BATCH_ROWS = 20_000
_FILL = sa.text("""
UPDATE user_workflow_history run SET company_id = person.company_id
FROM users person
WHERE person.id = run.user_id AND run.company_id IS NULL AND run.id >= :first AND run.id < :end
""")
_TRIGGER = """
CREATE OR REPLACE FUNCTION etter_company_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.company_id := (SELECT company_id FROM users WHERE id = NEW.user_id);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER company_of_run BEFORE INSERT ON user_workflow_history
FOR EACH ROW WHEN (NEW.company_id IS NULL) EXECUTE FUNCTION etter_company_of_run();
"""


def upgrade() -> None:
    """Apply the change. What was done before an interruption is not done again."""
    with op.get_context().autocommit_block():
        # Behind a long statement it would wait, and everybody else behind it: rather give up, to be tried again.
        op.execute("SET lock_timeout = '5s'")
        op.execute(f"ALTER TABLE {_RUNS} ADD COLUMN IF NOT EXISTS company_id integer")
        op.execute(_TRIGGER)
        _fill()
        _constrain()
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Undo the change."""
    op.execute(f"DROP TRIGGER company_of_run ON {_RUNS}")
    op.execute("DROP FUNCTION etter_company_of_run")
    op.drop_column(_RUNS, "company_id")


def _fill() -> None:
    connection = op.get_bind()
    bounds = connection.execute(sa.text(f"SELECT min(id), max(id) FROM {_RUNS}")).one()  # noqa: S608 - our own name
    for first in range(bounds[0] or 0, (bounds[1] or -1) + 1, _BATCH_ROWS):
        connection.execute(_FILL, {"first": first, "end": first + _BATCH_ROWS})


def _constrain() -> None:
    # NOT VALID holds for new rows at once; VALIDATE reads the old ones while others write. With the check in place
    # SET NOT NULL reads nothing (PostgreSQL 12 and later).
    op.execute(f"ALTER TABLE {_RUNS} DROP CONSTRAINT IF EXISTS company_is_known")
    op.execute(f"ALTER TABLE {_RUNS} ADD CONSTRAINT company_is_known CHECK (company_id IS NOT NULL) NOT VALID")
    op.execute(f"ALTER TABLE {_RUNS} VALIDATE CONSTRAINT company_is_known")
    op.execute(f"ALTER TABLE {_RUNS} ALTER COLUMN company_id SET NOT NULL")
    op.execute(f"ALTER TABLE {_RUNS} DROP CONSTRAINT company_is_known")
    key = f"{_RUNS}_company_id_fkey"
    op.execute(f"ALTER TABLE {_RUNS} DROP CONSTRAINT IF EXISTS {key}")
    op.execute(f"ALTER TABLE {_RUNS} ADD CONSTRAINT {key} FOREIGN KEY (company_id) REFERENCES companies (id) NOT VALID")
    op.execute(f"ALTER TABLE {_RUNS} VALIDATE CONSTRAINT {key}")
