#!/bin/sh -eu
# Empties an install root, and becomes the command that uses it.
#
#   empty-root DIRECTORY COMMAND [ARGUMENT...]
#
# Exits  as the command does

rm -rf "$1"; mkdir -p "$1"
shift
exec "$@"
