"""Finding or obtaining the programs that opsctl drives."""
