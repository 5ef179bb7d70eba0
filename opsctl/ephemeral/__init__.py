"""Environments that end: made for a job of CI or an afternoon, and taken away again."""
