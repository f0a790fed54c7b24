#!/bin/sh
# stamp_commit.sh SOURCE_ROOT TEMPLATE OUTPUT: writes the commit that is being built into it.
commit=$(git -C "$1" describe --always --dirty --abbrev=12 2>/dev/null) || commit=unknown
sed "s/@COMMIT@/$commit/" "$2" > "$3"
