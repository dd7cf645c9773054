"""GitHub: its deliveries as values, and its API."""
