"""Opinions in, an audit out: judge, waive, score, compare, gate. Knows the catalogue; touches no manifest, no tool."""
