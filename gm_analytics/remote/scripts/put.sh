#!/bin/sh -eu
# Writes standard input to files, one after the other.
#
#   put DIRECTORY NAME SIZE [NAME SIZE...]
#
# SIZE   bytes of the input that are this file's
# Exits  1: one cannot be written, or less came

directory=$1; shift
while [ $# -gt 0 ]; do
    head -c "$2" > "$directory/$1"
    size=$(wc -c < "$directory/$1")
    [ "$size" -eq "$2" ] || { echo "$directory/$1: $size of $2 bytes were written" >&2; exit 1; }
    shift 2
done
