"""Compare versions on the same traffic"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

SHADOW, PART = sa.text("channel = 'shadow'"), sa.text("experiment IS NOT NULL")
RUNNING = sa.text("ended_us IS NULL")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(length=49), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("champion_id", sa.Integer(), nullable=False),
        sa.Column("challenger_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("share", sa.Float(53), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("started_by", sa.Integer(), nullable=True),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        *_keys(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
    )
    op.create_index(
        "ix_experiments_running",
        "experiments",
        ["model_id"],
        unique=True,
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    )
    op.add_column("predictions", sa.Column("experiment", sa.String(length=49), nullable=True))
    op.create_index(
        "ix_predictions_experiment",
        "predictions",
        ["experiment", "created_us", "seq"],
        sqlite_where=PART,
        postgresql_where=PART,
    )
    op.create_index(
        "ix_predictions_shadow",
        "predictions",
        ["request_id"],
        sqlite_where=SHADOW,
        postgresql_where=SHADOW,
    )


def _keys() -> list[sa.ForeignKeyConstraint]:
    of = {
        "model_id": "models.id",
        "champion_id": "model_versions.id",
        "challenger_id": "model_versions.id",
        "started_by": "users.id",
    }
    return [
        sa.ForeignKeyConstraint([column], [to], name=op.f(f"fk_experiments_{column}"))
        for column, to in of.items()
    ]


def downgrade() -> None:
    op.drop_index("ix_predictions_shadow", "predictions")
    op.drop_index("ix_predictions_experiment", "predictions")
    with op.batch_alter_table("predictions") as predictions:
        predictions.drop_column("experiment")
    op.drop_index("ix_experiments_running", "experiments")
    op.drop_table("experiments")
