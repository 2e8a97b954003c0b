"""Fetches packed charts, where the policy allows it, and keeps them. Only ``deps`` enters; scanning never does."""
