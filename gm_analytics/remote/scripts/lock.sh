#!/bin/sh -eu
# Takes the writer's lock of a mirror, and holds it until standard input ends.
#
#   lock ROOT CODE
#
# HOLD    the text of hold.sh, which is run with the lock
# Prints  what hold.sh prints
# Exits   CODE: another process has had the lock for two seconds

mkdir -p "$1/.staging" "$1/.publications" "$1/.cache"
exec flock --timeout 2 --conflict-exit-code "$2" "$1/.lock" sh -uc "$HOLD" hold "$1/.running"
