"""Commands that need no running proxy."""
