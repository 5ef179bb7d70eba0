"""The strategy engine: market data and the portfolio in, decisions out."""
