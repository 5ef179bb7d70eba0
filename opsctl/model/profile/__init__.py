"""Profiles: what a trading server of each latency tier must hold, as values.

`setting` says what one setting is, `box` what a server is, `profile` what a profile asks of one.
"""
