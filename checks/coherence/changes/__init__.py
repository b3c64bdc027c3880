"""The checker for writes behind the proxy: a database tells what was committed, and no read may be older for long."""
