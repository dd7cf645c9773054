#!/bin/sh -eu
# Prints what upstream looks like, as upstream_of.sh says it.
#
#   upstream REPOSDIR CACHE...

. ./upstream_of.sh

upstream_of "$@"
