"""policies.yaml to frozen typed objects; route matching; reload."""
