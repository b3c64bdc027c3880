"""Let an address belong to one user, however its letters are written.

The unique index was in a file beside the schema, which may be left out, and took `A@x.example` and `a@x.example` for
two.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
_SHOWN = 5
_TWICE = sa.text("""
SELECT lower(email), array_agg(id ORDER BY id) FROM users GROUP BY lower(email) HAVING count(*) > 1 ORDER BY 1
""")


def upgrade() -> None:
    """Apply the change. Raises ValueError where an address belongs to several: whose it is, is for people to say."""
    twice = op.get_bind().execute(_TWICE).all()
    if twice:
        shown = "; ".join(f"users {', '.join(map(str, row[1]))}" for row in twice[:_SHOWN])
        msg = (
            f"{len(twice)} addresses belong to several users, case aside: {shown}. Change or remove all but one of each"
        )
        raise ValueError(msg)
    with op.get_context().autocommit_block():
        op.execute("UPDATE users SET email = lower(email) WHERE email <> lower(email)")
        # An interrupted build leaves an index that is not valid.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS users_email_lower_key")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY users_email_lower_key ON users (lower(email))")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS users_email_key")


def downgrade() -> None:
    """Undo the change."""
    op.execute("DROP INDEX users_email_lower_key")
