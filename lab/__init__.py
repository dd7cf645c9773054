"""The whole installation on one machine's loopback, with real parts.

`make demo` and the integration tests use the same lab: a real sshd with an ordinary account, a
real web server, an upstream repository built with rpmbuild, a client with an empty system, and
a stand-in for GitHub over a real git repository. `lab.site.Site` puts them together.
"""
