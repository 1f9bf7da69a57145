"""The one import of numpy and pcodec, with the error of those who have not installed them."""

from __future__ import annotations

from dsfactory.errors import UnfitEnvironmentError

try:
    import numpy as np
    import pcodec
except ImportError as error:
    raise UnfitEnvironmentError(
        "Numeric series need numpy and pcodec. Install them: pip install 'dsfactory[metrics]'.",
        missing=error.name,
    ) from error

__all__ = ["np", "pcodec"]
