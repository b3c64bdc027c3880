"""The SQL indexes under `indexes/`: apply them, look at their use, recommend others."""
