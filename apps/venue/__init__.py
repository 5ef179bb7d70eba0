"""The exchange simulator: a price-time book behind FIX, and an outside witness of its trades."""
