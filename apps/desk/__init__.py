"""The dashboard: equity, positions, orders and health of one environment, live in a browser."""
