"""Find what somebody asked by form without reading their batches

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
BY_HAND = "channel IN ('form', 'what-if')"


def upgrade() -> None:
    where = sa.text(BY_HAND)
    op.create_index(
        "ix_predictions_by_hand",
        "predictions",
        ["user_id", "created_us", "seq"],
        postgresql_where=where,
        sqlite_where=where,
    )


def downgrade() -> None:
    op.drop_index("ix_predictions_by_hand", "predictions")
