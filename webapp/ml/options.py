"""The engines that a model may be served by, side by side, for its publisher to pick from."""

from __future__ import annotations

from typing import Final

#: Those that give the estimator's own answers, and those that come near them for less.
EXACT: Final = ("sklearn", "onnx")
NEAR: Final = ("onnx-float32", "onnx-int8", "pruned", "distilled")
#: What a publisher may ask for: the fastest of the exact ones, to be shown all of them first, or one by name.
WISHES: Final = ("auto", "ask", *EXACT, *NEAR)
