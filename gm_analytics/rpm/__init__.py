"""RPM as values: packages, versions, what changes, who wanted what. No I/O."""
