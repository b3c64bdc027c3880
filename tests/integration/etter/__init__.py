"""Tests against real servers, inside this process."""
