"""PostgreSQL tells its changes by logical replication. Everything here needs the extra `veneer[postgres]`."""
