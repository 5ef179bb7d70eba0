"""Probes of real work, Prometheus queries, and verification of the tiers."""
