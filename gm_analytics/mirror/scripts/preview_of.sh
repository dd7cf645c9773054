# shellcheck shell=sh
# Prints where the link of a pull request's preview leads, ../.previews/DIRECTORY, if there is one
# and it is ours. To be called in the root.
#
#   preview_of NUMBER
#
# PREVIEW  what the directory looks like, an extended regular expression

preview_of() { readlink "previews/$1" | grep -axE "\.\./($PREVIEW)" || :; }
