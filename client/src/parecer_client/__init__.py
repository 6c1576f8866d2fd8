"""Publish models to a Parecer desk, and ask it, from a notebook.

from parecer_client import Client

desk = Client("https://desk.example", token)
desk.publish(model, X, y, name="churn", test=(X_test, y_test))
desk.predict("churn", {"age": 41, "plan": "basic"})
"""

from parecer_client.choices import Choice
from parecer_client.client import Client
from parecer_client.errors import (
    CodeNeeded,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotReachable,
    NotReady,
    NotSignedIn,
    ParecerError,
    Problem,
    PublicationRefused,
    TooLarge,
    TooMany,
)
from parecer_client.versions import Version

__all__ = [
    "Choice",
    "Client",
    "CodeNeeded",
    "Conflict",
    "InvalidInput",
    "NotAllowed",
    "NotFound",
    "NotReachable",
    "NotReady",
    "NotSignedIn",
    "ParecerError",
    "Problem",
    "PublicationRefused",
    "TooLarge",
    "TooMany",
    "Version",
]
