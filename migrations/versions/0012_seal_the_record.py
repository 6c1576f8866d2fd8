"""Seal the record, and let go of what is in it

The place of a leaf in the tree follows from the order of `seq`, so the column for it goes.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

SIX_MONTHS = 183
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("leaves") as leaves:
        leaves.drop_constraint("uq_leaves_leaf_index", type_="unique")
        leaves.drop_column("leaf_index")
    op.add_column("predictions", sa.Column("erasure", sa.BigInteger(), nullable=True))
    _tree()
    _verifications()
    _keeping()


def _tree() -> None:
    logs = op.create_table(
        "logs",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=60), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logs")),
    )
    origin = f"parecer/{secrets.token_hex(8)}"
    op.bulk_insert(logs, [{"id": 1, "origin": origin, "size": 0, "last_seq": 0, "trouble": ""}])
    op.create_table(
        "tiles",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_tiles")),
    )
    lowest = sa.text("level = 0")
    op.create_index("ix_tiles_last_seq", "tiles", ["last_seq"], sqlite_where=lowest, postgresql_where=lowest)
    op.create_table(
        "checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoints")),
    )
    op.create_index("ix_checkpoints_at_us", "checkpoints", ["at_us"])
    op.create_table(
        "anchors",
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("sent_us", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("tried_us", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_anchors")),
    )


def _verifications() -> None:
    op.create_table(
        "verifications",
        sa.Column("seq", KEY, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("outside", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("moved_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_verifications_user_id_users")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_verifications")),
    )


def _keeping() -> None:
    retention = op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("floor_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention")),
    )
    op.bulk_insert(retention, [{"id": 1, "days": None, "floor_days": SIX_MONTHS}])
    changes = sa.table("changes", sa.column("topic", sa.String), sa.column("number", sa.BigInteger))
    op.bulk_insert(changes, [{"topic": "erasures", "number": 0}])
    op.create_table(
        "holds",
        sa.Column("seq", KEY, nullable=False),
        sa.Column("prediction_seq", KEY, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.String(length=49), nullable=False),
        sa.Column("lifted_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["prediction_seq"], ["predictions.seq"], name=op.f("fk_holds_prediction_seq_predictions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_holds_user_id_users")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_prediction_seq", "holds", ["prediction_seq"])
    standing = sa.text("lifted_us IS NULL")
    op.create_index(
        "ix_holds_standing",
        "holds",
        ["prediction_seq"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )


def downgrade() -> None:
    op.execute("DELETE FROM changes WHERE topic = 'erasures'")
    for table in ("holds", "retention", "verifications", "anchors", "checkpoints", "tiles", "logs"):
        op.drop_table(table)
    with op.batch_alter_table("predictions") as predictions:
        predictions.drop_column("erasure")
    with op.batch_alter_table("leaves") as leaves:
        leaves.add_column(sa.Column("leaf_index", sa.BigInteger(), nullable=True))
        leaves.create_unique_constraint("uq_leaves_leaf_index", ["leaf_index"])
