"""The recorded run of a drill: a folder that a second person can check without opsctl.

Plain JSON lines for every account as it was read, what happened and when, and a manifest
with the SHA-256 of each file. Reports, an order's life and the auditor's script are made
from it alone; docs/check-a-drill.md describes the files.
"""
