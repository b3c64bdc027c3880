"""Programs that check the whole: the public conformance suite, coherence under faults, generated requests."""
