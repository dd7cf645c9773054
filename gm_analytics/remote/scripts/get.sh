#!/bin/sh -eu
# Prints a file.
#
#   get PATH ABSENT IRREGULAR
#
# Exits  ABSENT: there is no such file
#        IRREGULAR: it is no ordinary file

[ -e "$1" ] || exit "$2"
[ -f "$1" ] || exit "$3"
exec cat < "$1"
