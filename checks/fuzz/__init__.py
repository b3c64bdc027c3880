"""Generated requests to the Etter API."""
