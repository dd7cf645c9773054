#!/bin/sh -eu
# Puts a new statement in the place of a publication's, by one rename(2).
#
#   reseal STATEMENT FRESH

mv -T "$2" "$1"
