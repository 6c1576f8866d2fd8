"""Whom records are about: what is kept about one subject, taking it out, restricting and erasing it."""

from webapp.web.subjects import access, erasing, restricting
from webapp.web.subjects.blueprint import blueprint

__all__ = ["access", "blueprint", "erasing", "restricting"]
