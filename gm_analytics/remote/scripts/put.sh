#!/bin/sh -eu
# Writes standard input to a file.
#
#   put PATH SIZE
#
# SIZE   bytes that have to come
# Exits  1: it cannot be written, or less came

cat > "$1"
size=$(wc -c < "$1")
[ "$size" -eq "$2" ] || { echo "$1: $size of $2 bytes were written" >&2; exit 1; }
