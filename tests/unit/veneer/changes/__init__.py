"""Sources of changes, and who follows them."""
