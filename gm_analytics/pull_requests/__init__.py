"""Pull requests: what their events cause, and what they are told of it."""
