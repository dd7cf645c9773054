# shellcheck shell=sh
# The service's own ledger: the names of the RPMs that it added to the pool, a line each, in
# .publications/added.txt. What is not in it was there before, or a person put it there: it is
# never removed. To be called in the root.
#
#   ledger         prints it; of a mirror from before there was one, what publications name that
#                  were made by updates, without what was adopted
#   ledger_begin   writes it, unless it is there

ledger() {
    if [ -e .publications/added.txt ]; then cat .publications/added.txt; return 0; fi
    for list in .publications/*/packages.txt .previews/*/packages.txt; do
        [ -f "$list" ] || continue
        if [ -f "${list%/*}/publication.json" ]; then whose=ours; else whose=theirs; fi
        cut -f 1 "$list" | sed "s/^/$whose /"
    done | awk '
        $1 == "theirs" { theirs[$2]; next }
        { ours[$2] }
        END { for (file in ours) if (!(file in theirs)) print file }' | sort
}
ledger_begin() {
    if [ -e .publications/added.txt ]; then return 0; fi
    mkdir -p .publications
    ledger > .publications/.added.new
    mv -f .publications/.added.new .publications/added.txt
}
