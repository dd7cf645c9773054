"""One RPM repository on one host: a session's parts over it, their commands, what those print."""
