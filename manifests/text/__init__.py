"""Text to documents: YAML and JSON as Kubernetes reads them, with the place of every field; nothing of manifests."""
