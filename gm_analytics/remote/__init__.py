"""Another host over SSH; knows no RPM."""
