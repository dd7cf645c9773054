#!/bin/sh -eu
# Prints what a directory of repository files has to offer, as repositories_of.sh says it.
#
#   repositories REPOSDIR

. ./repositories_of.sh

repositories_of "$1"
