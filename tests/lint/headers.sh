# TAP: each header compiles alone
set -u
cd "$SRCDIR" || exit 1
echo 1..1
bad=
for h in base/*.h loop/*.h policy/*.h identity/*.h proxy/*.h agent/*.h; do
	[ -e "$h" ] || continue
	printf '#include "%s"\n' "$h" |
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Werror -I. -I"$BUILDDIR" \
			-fsyntax-only -x c - 2>/dev/null || bad="$bad $h"
done
if [ -z "$bad" ]; then echo "ok 1 - headers are self-contained"; else
	echo "not ok 1 - headers are self-contained"
	echo "# $bad"
fi
