"""The HTTP room: what is the same for every route. Routes themselves are in etter.routes."""
