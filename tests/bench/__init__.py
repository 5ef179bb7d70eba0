"""Benchmarks: the figures of the README, measured on the machine at hand."""
