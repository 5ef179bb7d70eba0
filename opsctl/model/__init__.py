"""Tiers, environments and topology: pure values, no input or output."""
