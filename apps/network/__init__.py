"""The network between sites, on one machine: a TCP proxy whose links a drill can disturb."""
