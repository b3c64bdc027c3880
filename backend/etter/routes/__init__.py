"""The API's routes: thin, one module for each aggregate; each yields a table of declared routes."""
