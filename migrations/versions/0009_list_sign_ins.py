"""List sign-ins, ask for a second factor, find events by person"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("token_families") as families:
        families.add_column(sa.Column("kind", sa.String(length=8), nullable=False, server_default=""))
        families.add_column(sa.Column("name", sa.String(length=80), nullable=False, server_default=""))
        families.add_column(sa.Column("agent", sa.String(length=200), nullable=False, server_default=""))
        families.add_column(sa.Column("address", sa.String(length=45), nullable=False, server_default=""))
        families.add_column(sa.Column("last_us", sa.BigInteger(), nullable=True))
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("family", sa.String(length=43), nullable=True),
        sa.Column("begun_us", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_us", sa.BigInteger(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "reset_links",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_reset_links_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_reset_links")),
        sa.UniqueConstraint("hash", name=op.f("uq_reset_links_hash")),
    )
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("about_id", sa.Integer(), nullable=True))
        events.create_foreign_key(op.f("fk_events_about_id"), "users", ["about_id"], ["id"])
        events.drop_index(op.f("ix_events_kind"))
        events.create_index(op.f("ix_events_kind_at_us"), ["kind", "at_us"])
        events.create_index(op.f("ix_events_user_id_at_us"), ["user_id", "at_us"])
        events.create_index(op.f("ix_events_about_id_at_us"), ["about_id", "at_us"])


def downgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.drop_index(op.f("ix_events_about_id_at_us"))
        events.drop_index(op.f("ix_events_user_id_at_us"))
        events.drop_index(op.f("ix_events_kind_at_us"))
        events.create_index(op.f("ix_events_kind"), ["kind"])
        events.drop_constraint(op.f("fk_events_about_id"), type_="foreignkey")
        events.drop_column("about_id")
    for table in ("reset_links", "recovery_codes", "second_factors"):
        op.drop_table(table)
    with op.batch_alter_table("token_families") as families:
        for column in ("last_us", "address", "agent", "name", "kind"):
            families.drop_column(column)
