"""The command line: one file a command, parsing and rendering only."""
