"""The ledger: records listed, opened, judged, printed and taken away."""

from webapp.web.history import ledger, named, record
from webapp.web.history.blueprint import blueprint

__all__ = ["blueprint", "ledger", "named", "record"]
