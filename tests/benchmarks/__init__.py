"""Speed as ratios: our code and the peer's in one process, on the same work, with equal results."""
