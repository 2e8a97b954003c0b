"""Kustomizations: what they are made of, a build from a copy, and the file behind every object."""
