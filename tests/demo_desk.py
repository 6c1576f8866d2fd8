"""Demo models on a desk of their own, for tests that ask them as others would."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Flask

from webapp.ml.demos import Demo, demos
from webapp.ml.packaging import Package, package
from webapp.services import registry


@cache
def packaged(name: str) -> tuple[Demo, Package, Any, Any, Any]:
    """One demo, trained and packaged once: (demo, package, estimator, X_test, y_test)."""
    [demo] = [demo for demo in demos() if demo.name == name]
    estimator, X, y, X_test, y_test = demo.make()
    made = package(estimator, X, y, format="skops", test=(X_test, y_test), card=demo.card, edits=demo.edits)
    return demo, made, estimator, X_test, y_test


def publish_demo(app: Flask, name: str) -> None:
    """Publish one demo into the registry of an application."""
    demo, made, *_ = packaged(name)
    store = app.extensions["desk"].store
    registry.publish(store, made, name=name, title=demo.title, description=demo.description)
