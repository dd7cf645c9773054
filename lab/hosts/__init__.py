"""Four real systemd hosts on one machine, converged by real Chef: `make lab`.

Each host is a systemd-nspawn container: an overlay over one Debian root filesystem, a network
namespace of its own, a virtual cable to a bridge. `docs/lab.md` says what this covers and what
it cannot (EL, SELinux, firewalld).
"""
