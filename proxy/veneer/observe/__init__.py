"""What can be seen from outside: log lines, metrics, traces, error reports."""
