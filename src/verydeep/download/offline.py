"""Offline mode, as the environment sets it; apart from downloads, whose HTTP takes 40 ms to import."""

import os


def offline() -> str | None:
    """The variable that sets offline mode, VERYDEEP_OFFLINE or HF_HUB_OFFLINE; None if neither is set."""
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(variable, "").lower() in ("1", "true", "yes", "on"):
            return variable
    return None
