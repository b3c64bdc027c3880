"""Sources of changes that do not pass through this proxy, and who follows them."""
