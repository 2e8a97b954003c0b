"""Network policies of all kinds together: which pods they isolate, what they let through, and what they get wrong."""

from __future__ import annotations

from scanners.native.network import policy_checks, workload_checks

__all__ = ["policy_checks", "workload_checks"]
