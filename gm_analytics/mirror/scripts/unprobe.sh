#!/bin/sh -eu
# Removes what examine.sh has left in a root for a web server to be asked for.
#
#   unprobe ROOT NAME

rm -rf -- "${1:?}/${2:?}"
