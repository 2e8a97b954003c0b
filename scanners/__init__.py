"""Resources in, opinions out: one module a scanner, translated but never judged."""
