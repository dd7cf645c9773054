# shellcheck shell=sh
# The addresses that publications keep, below publications/: a directory a publication, named by its
# number, with links to its metadata and to the packages; and a link a day, named by its date (UTC).
# To be called in the root.
#
#   packages_link        prints the name of the link through which metadata name packages, which it
#                        makes; nothing where an adopted repository has all names that it may have
#   give_address PLACE   gives the publication in the directory PLACE its address, if its metadata
#                        were made to have one
#   take_address PLACE   removes it from the addresses, and the days that lead there
#   name_days LIVE       has each day that is over lead to the newest publication of that day or
#                        before, up to LIVE; today and the next 100 days to what is live

packages_link() {
    for link in Packages gm-packages; do
        if [ ! -e "$link" ] && [ ! -L "$link" ]; then ln -s . "$link" 2>/dev/null || :; fi
        if [ "$(readlink "$link")" = . ]; then echo "$link"; return 0; fi
    done
}
# shellcheck disable=SC2003  # $((...)) takes a number with leading zeros for an octal one
number_of() { expr "${1##*/}" + 0; }
give_address() {
    [ -f "$1/repodata/mirrorlist" ] || return 0
    address=publications/$(number_of "$1")
    if [ -e "$address" ]; then return 0; fi
    rm -rf .publications/.address.new; mkdir -p publications .publications/.address.new
    ln -s "../../$1/repodata" .publications/.address.new/repodata
    ln -s ../.. ".publications/.address.new/$(packages_link)"
    mv -T .publications/.address.new "$address"
}
take_address() {
    [ -d publications ] || return 0
    number=$(number_of "$1")
    find publications -mindepth 1 -maxdepth 1 -type l -lname "$number" -exec rm -f {} +
    rm -rf "publications/$number"
}
name_days() {
    [ -d publications ] || return 0
    {
        # An address is made as its publication goes live.
        find publications -mindepth 1 -maxdepth 1 -type d -printf 'address %f %T@\n'
        find .publications -mindepth 2 -maxdepth 2 -name packages.txt -printf 'made %h %T@\n'
        find publications -mindepth 1 -maxdepth 1 -type l -printf 'day %f %l\n'
    } | awk -v live="$(number_of "$1")" -v ahead=100 -v today="$(($(date +%s) / 86400))" '
        function date(days, era, year, month) {  # of the proleptic Gregorian calendar
            days += 719468; era = int(days / 146097); days -= era * 146097
            year = int((days - int(days / 1460) + int(days / 36524) - int(days / 146096)) / 365)
            days -= 365 * year + int(year / 4) - int(year / 100)
            month = int((5 * days + 2) / 153); days -= int((153 * month + 2) / 5) - 1
            month += month < 10 ? 3 : -9
            return sprintf("%04d-%02d-%02d", year + era * 400 + (month <= 2), month, days)
        }
        $1 == "day" { leads[$2] = $3; next }
        { number = $2; sub(/.*\//, "", number) }
        number !~ /^[0-9]+$/ || number + 0 > live { next }
        { number += 0; known[number] }
        $1 == "address" { has[number]; since[number] = int($3 / 86400); next }
        !(number in has) { since[number] = int($3 / 86400) }
        END {
            for (number in known) {
                if (number + 0 > newest[since[number]]) newest[since[number]] = number + 0
                if (number in has && (!first || since[number] < first)) first = since[number]
            }
            if (first && first < today - 1500) first = today - 1500  # of a clock that was wrong
            for (day in newest) if (day + 0 < first && newest[day] > last) last = newest[day]
            for (day = first ? first : today; day <= today + ahead; day++) {
                if (newest[day] > last) last = newest[day]
                name = date(day)
                if (name in leads && leads[name] != "..") continue
                target = day < today ? last in has ? last : "" : ".."
                if (target != leads[name]) print name, target
            }
        }' |
    while read -r day target; do
        if [ -z "$target" ]; then rm -f "publications/$day"
        elif [ ! -L "publications/$day" ]; then ln -s "$target" "publications/$day"
        else
            rm -f .publications/.day.new; ln -s "$target" .publications/.day.new
            mv -T .publications/.day.new "publications/$day"
        fi
    done
}
