"""One request's life in small steps; no protocol rules here, those are in the core."""
