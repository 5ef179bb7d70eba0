"""Provisioning and auditing of boxes: co-located and own servers, reached by Ansible over SSH.

`inventory` says which boxes there are, `session` runs playbooks over those still with us, `reading`
finds out what a box is and holds; `applying` and `auditing` are the work of the two commands.
"""
