"""Let some people administer their company: who may hire, dismiss and rename was nobody's to say."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change. A constant default is kept in the catalogue: no row is written."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("users", sa.Column("is_admin", sa.Boolean(), server_default="false", nullable=False))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("users", "is_admin")
