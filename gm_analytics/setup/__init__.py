"""What an installation begins with: its files, its units, and what other hosts are given."""
