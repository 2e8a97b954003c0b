"""Audit, comparison and verdict in, reports out: every report is a pure function that returns text."""
