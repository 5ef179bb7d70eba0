"""Reads a server back from its kernel and its programs; nothing in here changes anything."""
