#!/bin/sh -eu
# Prints what is known of each publication and each preview, for `History.parse`. It takes a few
# processes, however many publications there are.
#
#   history ROOT
#
# Prints  now SECONDS                        the mirror's clock
#         live PUBLICATION/repodata
#         left SECONDS DIRECTORY             when its directory was changed
#         made SECONDS DIRECTORY/packages.txt
#         described BYTES DIRECTORY/publication.json
#         count PACKAGES DIRECTORY/packages.txt
#         DIRECTORY/FILE:LINE                each line of publication.json and manifests.txt
#         served 0 ../DIRECTORY              a preview that is linked
#
# LARGEST  bytes that publication.json and manifests.txt stay below

cd "$1"
echo "now $(date +%s)"
if [ -L repodata ]; then echo "live $(readlink repodata)"; fi
for kind in publications previews; do
    [ -d ".$kind" ] || continue
    find ".$kind" -mindepth 1 -maxdepth 1 -type d -printf 'left %T@ %p\n'
    find ".$kind" -mindepth 2 -maxdepth 2 -name packages.txt -printf 'made %T@ %p\n'
    find ".$kind" -mindepth 2 -maxdepth 2 -name publication.json -printf 'described %s %p\n'
    grep -a -s -c -H '^[^#]' ".$kind"/*/packages.txt |
        sed 's/^\(.*\):\([0-9]*\)$/count \2 \1/'
    # An ordinary file of a size that it can have: a damaged one must not hide the others.
    find ".$kind" -mindepth 2 -maxdepth 2 -type f -size "-${LARGEST}c" \
        '(' -name publication.json -o -name manifests.txt ')' -exec grep -a -s -H '' {} + || :
done
if [ -d previews ]; then find previews -maxdepth 1 -type l -printf 'served 0 %l\n'; fi
