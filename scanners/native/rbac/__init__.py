"""Role-based access control as a graph: who holds which role, what its rules allow, and where that leads."""

from __future__ import annotations

from scanners.native.rbac import checks as checks
