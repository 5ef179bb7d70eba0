"""opsctl: deploys institutional trading platforms, and proves that their tiers are met."""

__version__ = "0.1.0"
