"""The commands of `veneer`."""
