"""The profile that ``make fuzz`` asks for (tests/properties/budget.py)."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fuzz", deadline=None)
