"""Find a person's events of one kind in the index"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
COLUMNS = ("user_id", "about_id")


def upgrade() -> None:
    for column in COLUMNS:
        op.drop_index(op.f(f"ix_events_{column}_at_us"), "events")
        op.create_index(op.f(f"ix_events_{column}_at_us_kind"), "events", [column, "at_us", "kind"])


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_index(op.f(f"ix_events_{column}_at_us_kind"), "events")
        op.create_index(op.f(f"ix_events_{column}_at_us"), "events", [column, "at_us"])
