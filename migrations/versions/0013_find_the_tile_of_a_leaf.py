"""Find the tile of a leaf in the index

SQLite, which keeps no statistics here, takes the primary key rather than a partial index, and reads every tile.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.drop_index("ix_tiles_last_seq", "tiles")
    op.create_index("ix_tiles_level_last_seq", "tiles", ["level", "last_seq"])


def downgrade() -> None:
    op.drop_index("ix_tiles_level_last_seq", "tiles")
    lowest = sa.text("level = 0")
    op.create_index("ix_tiles_last_seq", "tiles", ["last_seq"], sqlite_where=lowest, postgresql_where=lowest)
