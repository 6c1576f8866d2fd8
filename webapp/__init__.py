"""Parecer: a prediction desk."""

from __future__ import annotations

import os

# ONNX Runtime reports to its maker from its first import on, unless told not to; nothing here calls out.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
