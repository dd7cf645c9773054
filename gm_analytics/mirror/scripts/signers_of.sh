# shellcheck shell=sh
# Prints by which key each RPM file is signed.
#
#   signers_of DIRECTORY
#
# DIRECTORY  takes files of its own, signed.*
# Reads      the files' names, a line each; they lie in the current directory
# Prints     FILE KEY, with a tab: the id of the key in 16 capital hexadecimal digits; `unsigned`; or
#            `unknown`, of a signature that rpm cannot name the key of. A file that is lost, or is
#            no package, has no line

. ./query.sh

signers_of() {
    rpm --querytags > "$1/signed.tags"
    form=
    for tag in RSAHEADER DSAHEADER OPENPGP SIGPGP SIGGPG; do
        if grep -qx "$tag" "$1/signed.tags"; then form="$form%|$tag?{ [%{$tag:pgpsig} ]}|"; fi
    done
    while read -r file; do
        if [ -f "./$file" ]; then printf '%s\n' "$file"; fi
    done > "$1/signed.files"
    signatures_of < "$1/signed.files" > "$1/signed.by" || :
    if [ "$(wc -l < "$1/signed.by")" -ne "$(wc -l < "$1/signed.files")" ]; then
        # One of them is no package; the others are told one by one.
        mv "$1/signed.files" "$1/signed.all"
        while read -r file; do
            if printf '%s\n' "$file" | signatures_of > "$1/signed.one" && [ -s "$1/signed.one" ]; then
                printf '%s\n' "$file" >&3; cat "$1/signed.one"
            fi
        done < "$1/signed.all" > "$1/signed.by" 3> "$1/signed.files"
    fi
    # The first one that a file has: `RSA/SHA256, Mon 02 Nov 2026, Key ID 0123456789abcdef`.
    paste "$1/signed.files" "$1/signed.by" | awk -F '\t' -v OFS='\t' '
        $2 !~ /[^ ]/ { print $1, "unsigned"; next }
        match($2, /Key (ID|Fingerprint)[: ]+[0-9a-fA-F]+/) {
            id = substr($2, RSTART, RLENGTH); sub(/.*[: ]/, "", id)
            if (length(id) >= 16) { print $1, toupper(substr(id, length(id) - 15)); next }
        }
        { print $1, "unknown" }'
}

# No text of a header is in what this prints.
signatures_of() { sed 's|^|./|' | tr '\n' '\0' | query "$form\n" 2>/dev/null; }
