"""An update: its model and its story."""
