"""How many examples: few and always the same ones in ``make test``, many and new ones in ``make fuzz``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

FUZZ = "fuzz"
"""Registered by the conftest beside this, where pytest looks for it."""
MORE = 50
"""Times as many in ``make fuzz``."""


def examples(number: int) -> settings:
    """The settings of a property that takes some milliseconds for an example."""
    fuzzing = settings.get_current_profile_name() == FUZZ
    return settings(
        max_examples=number * MORE if fuzzing else number,
        derandomize=not fuzzing,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
