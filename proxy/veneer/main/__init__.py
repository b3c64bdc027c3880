"""Puts a node together from the other rooms, and runs it."""
