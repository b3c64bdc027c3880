"""All SQL of the backend, typed, one module for each aggregate. Services decide, queries read and write."""
