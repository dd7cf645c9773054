"""An update: its model, its story, and the ports through which it reaches the world."""
