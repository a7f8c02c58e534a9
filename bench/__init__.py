"""Benchmarks: ratios against a peer or a bare tool, measured in the same run."""
