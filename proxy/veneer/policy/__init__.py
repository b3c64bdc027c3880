"""policies.yaml: from text to frozen typed objects, route matching and reload."""
