"""The `docker` target: every service a container, each place a network of its own.

`target.DockerTarget` is what others use; it is not imported here, so that the process that
forwards to other hosts starts without all that a target needs.
"""
