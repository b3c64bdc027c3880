"""What credentials prove: tokens, sessions and fields from trusted proxies, checked once and remembered."""
