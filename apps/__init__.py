"""What runs in an environment: each app is `python -m apps.NAME`."""
