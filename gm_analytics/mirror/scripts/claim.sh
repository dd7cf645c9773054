#!/bin/sh -eu
# Notes beside the live publication which service publishes from now on.
#
#   claim ROOT LIVE SERVICE

cd "$1/$2"
echo "$3" > .service.new
mv -f .service.new service.txt
