"""Keep fewer counts of the record; they are counted anew"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.drop_table("rollups")
    op.execute("DELETE FROM horizons")
    _create("level", "scope", "start_us", "version_id", "channel")


def downgrade() -> None:
    op.drop_table("rollups")
    op.execute("DELETE FROM horizons")
    _create("level", "scope", "start_us", "user_id", "version_id", "channel")


def _create(*key: str) -> None:
    types = {"start_us": sa.BigInteger(), "channel": sa.String(length=8)}
    op.create_table(
        "rollups",
        *(
            sa.Column(name, types.get(name, sa.Integer()), autoincrement=False, nullable=False)
            for name in key
        ),
        sa.Column("predictions", sa.Integer(), nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("labels", "latencies", "scores", "numbers")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["model_versions.id"], name=op.f("fk_rollups_version_id")),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_rollups")),
        sqlite_with_rowid=False,
    )
