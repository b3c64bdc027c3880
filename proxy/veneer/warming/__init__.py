"""Cache warming: asking for targets through the proxy's own front door, so that what is stored is what clients get."""
