# shellcheck shell=sh
# Ends the script if find, with these arguments, meets a *.rpm whose name or type is refused.
#
#   only_rpms FIND_ARGUMENT...
#
# FILE     what a name looks like, an extended regular expression
# TYPES    the types of file that it may have, as letters of find's %y
# Prints   the types and names of the first few; line ends in them are replaced
# Exits    REFUSED, from the environment: there is one

only_rpms() {
    strange=$(find "$@" -name '*.rpm' -printf '%y %f\0' | tr '\n\000' '\001\n' |
        grep -avxE "[$TYPES] ($FILE)" | head -n 5 | cut -b 1-300) || :
    [ -z "$strange" ] || { printf '%s\n' "$strange"; exit "$REFUSED"; }
}
