"""Hits answered at the protocol level, before aiohttp builds a request.

The lane decides nothing. It learns, from answers that the pipeline gave, which bytes answer which plain request for as
long as nothing has changed, and repeats them. Whatever it does not know takes the normal way with the same bytes.
"""
