# shellcheck shell=sh
# Prints a line of packages.txt for each RPM file.
#
#   facts_of ./FILE...
#
# HEADER   rpm's query format of the fields that come from the header
# FACTS    what it prints looks like, an extended regular expression
# Returns  1: one of the files is no package; or it has a header that no package should have, and
#          then $strange has the first few lines of those

. ./query.sh

facts_of() {
    scratch=$(mktemp -d) word=$(secret) strange=
    printf '%s\0' "$@" > "$scratch/files"
    xargs -0 sha256sum -- < "$scratch/files" > "$scratch/sums" & summed=$!
    query "$word\t$HEADER" < "$scratch/files" > "$scratch/headers" 2>/dev/null || :
    strange=$(grep -avxE "$word$(printf '\t')$FACTS" "$scratch/headers" |
        head -n 5 | cut -b 1-300) || :
    xargs -0 stat -c %s -- < "$scratch/files" > "$scratch/sizes"
    wait "$summed"
    if [ -z "$strange" ] && [ "$(wc -l < "$scratch/headers")" -eq $# ]; then
        # SUM  ./NAME, SIZE, WORD, then what the header says.
        paste "$scratch/sums" "$scratch/sizes" "$scratch/headers" |
        awk -F '\t' -v OFS='\t' '{
            print substr($1, 69), $4, $5, $6, $7, $8, $2, substr($1, 1, 64), "", ""
        }'
        rm -r "$scratch"
    else
        rm -r "$scratch"; return 1
    fi
}
