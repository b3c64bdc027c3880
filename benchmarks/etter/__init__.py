"""The whole system under the Etter workload: the backend as it was found, as it is, and behind the proxy."""
