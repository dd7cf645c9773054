#!/bin/sh -eu
# Becomes a command that reads a file from its standard input.
#
#   with-input FILE COMMAND [ARGUMENT...]
#
# Exits  as the command does

list=$1; shift
exec "$@" < "$list"
