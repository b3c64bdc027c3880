"""Tries to get another tenant's byte: generated people and tokens, on every way of answering."""
