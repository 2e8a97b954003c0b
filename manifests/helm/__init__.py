"""Charts: what they say of themselves, a safe copy, one constant rendering, and the template line of every field."""
