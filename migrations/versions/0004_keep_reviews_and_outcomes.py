"""Keep reviews and outcomes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

RARE = {
    "warned": "warned > 0",
    "inactive": "state <> 'active'",
    "reviewed": "review IS NOT NULL",
    "known": "outcome IS NOT NULL",
}


def upgrade() -> None:
    op.add_column("predictions", sa.Column("review", sa.String(length=12), nullable=True))
    op.add_column("predictions", sa.Column("outcome", sa.String(length=8), nullable=True))
    for name, condition in RARE.items():
        where = sa.text(condition)
        op.create_index(
            f"ix_predictions_{name}",
            "predictions",
            ["created_us", "seq"],
            postgresql_where=where,
            sqlite_where=where,
        )
    op.create_table(
        "reviews",
        *_told("reviews"),
        sa.Column("action", sa.String(length=12), nullable=False),
    )
    op.create_index("ix_reviews_prediction_seq", "reviews", ["prediction_seq"])
    op.create_table(
        "outcomes",
        *_told("outcomes"),
        sa.Column(
            "model_id", sa.Integer(), sa.ForeignKey("models.id", name="fk_outcomes_model_id"), nullable=False
        ),
        sa.Column(
            "version_id",
            sa.Integer(),
            sa.ForeignKey("model_versions.id", name="fk_outcomes_version_id"),
            nullable=False,
        ),
        sa.Column("predicted_us", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("verdict", sa.String(length=8), nullable=False),
    )
    op.create_index("ix_outcomes_prediction_seq", "outcomes", ["prediction_seq"])
    op.create_index(
        "ix_outcomes_latest",
        "outcomes",
        ["model_id", "predicted_us"],
        postgresql_where=sa.text("latest"),
        sqlite_where=sa.text("latest"),
    )


def downgrade() -> None:
    op.drop_table("outcomes")
    op.drop_table("reviews")
    for name in RARE:
        op.drop_index(f"ix_predictions_{name}", "predictions")
    op.drop_column("predictions", "outcome")
    op.drop_column("predictions", "review")


def _told(table: str) -> list[sa.schema.SchemaItem]:
    """What a review and an outcome have in common."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    prediction = sa.ForeignKey("predictions.seq", name=f"fk_{table}_prediction_seq")
    user = sa.ForeignKey("users.id", name=f"fk_{table}_user_id")
    return [
        sa.Column("seq", key, nullable=False),
        sa.Column("event_id", sa.String(length=49), nullable=False),
        sa.Column("prediction_seq", key, prediction, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Integer(), user, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=f"pk_{table}"),
        sa.UniqueConstraint("event_id", name=f"uq_{table}_event_id"),
    ]
