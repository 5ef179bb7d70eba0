"""Provisioning and auditing of boxes: co-located and own servers, reached by Ansible over SSH.

`inventory` says which boxes there are, `playing` runs one playbook over them.
"""
