"""The client's side of the wire: aiohttp's server below, the pipeline's `Client` port above."""
