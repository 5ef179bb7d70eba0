"""The exchange simulator: a matching engine behind FIX, and the record of what it did."""
