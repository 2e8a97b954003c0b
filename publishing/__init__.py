"""Tells GitHub what was found: comment, status, code scanning, summary. It judges nothing and renders nothing."""
