"""Co-located and own servers as resources: what they are to hold, read from them, brought about."""
