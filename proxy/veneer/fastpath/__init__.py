"""Hits answered at the protocol level, before aiohttp builds a request.

It decides nothing. It learns from the pipeline's answers which bytes answer which plain request for as long as nothing
has changed, and repeats them. Whatever it does not know takes the normal way with the same bytes.
"""
