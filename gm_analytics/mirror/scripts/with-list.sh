#!/bin/sh -eu
# Becomes a command with the lines of a file as its last arguments: one argument over SSH holds
# 128 KiB, all of them of a program that is run from here about 2 MB.
#
#   with-list FILE COMMAND [ARGUMENT...]
#
# Exits  as the command does

list=$1; shift
set -f
IFS='
'
# shellcheck disable=SC2046  # a line is a word
set -- "$@" $(cat "$list")
unset IFS
exec "$@"
