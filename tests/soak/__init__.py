"""Repeats that are too long for the suite, resumable; the result is committed as evidence."""
