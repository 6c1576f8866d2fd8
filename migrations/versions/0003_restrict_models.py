"""Restrict models to some people"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("models") as models:
        models.add_column(sa.Column("restricted", sa.Boolean(), nullable=False, server_default="0"))
    op.create_table(
        "model_access",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_access_model_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_model_access_user_id")),
        sa.PrimaryKeyConstraint("model_id", "user_id", name=op.f("pk_model_access")),
    )


def downgrade() -> None:
    op.drop_table("model_access")
    with op.batch_alter_table("models") as models:
        models.drop_column("restricted")
