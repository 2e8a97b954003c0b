"""One module a verb: the flow from settings to exit code, through all rooms. Imported by the entrypoint only."""
