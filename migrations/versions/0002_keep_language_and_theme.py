"""Keep each person's language and theme"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("language", sa.String(length=8), nullable=False, server_default=""))
        users.add_column(sa.Column("theme", sa.String(length=8), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_column("theme")
        users.drop_column("language")
