"""The blueprint that the pages of the ledger share."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("history", __name__)
