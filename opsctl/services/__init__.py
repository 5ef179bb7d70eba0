"""The catalogue: one file a server or app: command, configuration, ports, probes, waits; pure."""
