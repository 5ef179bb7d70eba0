"""How each means of a setting is made to hold on a server: now, after a boot, and taken back.

Runs on the server itself, under the Python 3.9 or later that it came with; standard library only.
"""
