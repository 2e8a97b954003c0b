"""Commits of the checkout as folders of files: git reads objects and fetches, and never works in the checkout."""
