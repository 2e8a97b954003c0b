"""What GitHub tells a workflow, turned into facts and into the decision what to compare. It asks nobody."""
