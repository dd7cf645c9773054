#!/bin/sh -eu
# Writes standard input to a file.
#
#   put PATH

cat > "$1"
