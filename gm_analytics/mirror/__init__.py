"""One RPM repository on one host: its commands, what they print, the steps of an update."""
