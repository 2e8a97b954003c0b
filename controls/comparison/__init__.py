"""What base and head have to do with each other: who belongs together, what was not seen, what the difference is of."""
