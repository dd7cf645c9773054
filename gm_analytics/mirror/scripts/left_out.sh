# shellcheck shell=sh
# Takes createrepo_c's exit code 2 for 0: the pool lacks a listed file, or has a damaged one, and
# the metadata are made without it. (1.2 says so; 0.17 does the same and ends with 0.) `status`
# tells of it, and `prove` refuses it where the manifest needs the file.
#
#   createrepo_c ... || left_out
#
# Exits  as createrepo_c did, if it failed

left_out() { code=$?; [ "$code" -eq 2 ] || exit "$code"; }
