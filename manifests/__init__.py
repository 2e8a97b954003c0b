"""From paths to resources: find, read, render. What cannot be read is a Failure, never an absence."""
