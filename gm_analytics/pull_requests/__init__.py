"""What pull requests are told."""
