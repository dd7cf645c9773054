# shellcheck shell=sh
# Prints documents of a repository's metadata as its repomd.xml names them, by their types: no name
# of a file decides what it is.
#
#   documents_of DIRECTORY TYPES
#
# DIRECTORY  where repomd.xml is, and beside it what it names
# TYPES      of documents, an extended regular expression
# DOCUMENT   what the name of such a file looks like, an extended regular expression
# LARGEST    bytes of one that is printed
# $left      bytes that may be printed yet; it goes down
# Prints     repomd BASE64
#            document NAME BASE64, for each that is there
#            large NAME, for one that there is no room for
# Exits      REFUSED: a name is refused; prints f NAME

documents_of() {
    [ -f "$1/repomd.xml" ] || return 0
    printf 'repomd '; head -c 1000000 "$1/repomd.xml" | base64 -w 0; echo
    named=$(head -c 1000000 "$1/repomd.xml" | awk -v types="^($2)\$" 'BEGIN { RS = "<data[ \t\r\n]" }
        NR > 1 && match($0, /type="[^"]*"/) {
            type = substr($0, RSTART + 6, RLENGTH - 7)
            if (type ~ types && match($0, /<location[^>]*href="[^"]*"/)) {
                href = substr($0, RSTART, RLENGTH - 1); sub(/.*["\/]/, "", href); print href
            }
        }' | head -n 100)
    strange=$(printf '%s\n' "$named" | grep -avxE "$DOCUMENT|" | head -n 5 | cut -b 1-300) || :
    [ -z "$strange" ] || { printf '%s\n' "$strange" | sed 's/^/f /'; exit "$REFUSED"; }
    for name in $named; do
        [ -f "$1/$name" ] || continue
        size=$(wc -c < "$1/$name")
        if [ "$size" -gt "$LARGEST" ] || [ "$size" -gt "$left" ]; then
            echo "large $name"
            continue
        fi
        left=$((left - size))
        printf 'document %s ' "$name"; head -c "$size" "$1/$name" | base64 -w 0; echo
    done
}
