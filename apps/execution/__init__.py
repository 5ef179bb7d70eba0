"""Execution: pre-trade risk, order management, journal, FIX gateway, and the projector."""
