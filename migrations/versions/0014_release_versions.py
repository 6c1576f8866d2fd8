"""Release versions: count changes of a model, and let a second person approve"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    with op.batch_alter_table("models") as models:
        models.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
        models.add_column(sa.Column("two_people", sa.Boolean(), nullable=False, server_default="0"))
    op.create_table(
        "promotion_requests",
        sa.Column("id", sa.String(length=49), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        *_keys(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion_requests")),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_promotion_requests_model_id",
        "promotion_requests",
        ["model_id"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _keys() -> list[sa.ForeignKeyConstraint]:
    of = {
        "model_id": "models.id",
        "version_id": "model_versions.id",
        "asked_by": "users.id",
        "decided_by": "users.id",
    }
    return [
        sa.ForeignKeyConstraint([column], [to], name=op.f(f"fk_promotion_requests_{column}"))
        for column, to in of.items()
    ]


def downgrade() -> None:
    op.drop_index("ix_promotion_requests_model_id", "promotion_requests")
    op.drop_table("promotion_requests")
    with op.batch_alter_table("models") as models:
        models.drop_column("two_people")
        models.drop_column("revision")
