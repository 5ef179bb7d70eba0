"""Market data: from the source to the books and the bus."""
