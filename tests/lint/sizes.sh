# TAP: no file over 500 lines, no function over 60, no nesting over 4, no
# parameter list over 6
set -u
cd "$SRCDIR" || exit 1
echo 1..4
files=$(find base loop policy identity proxy agent tests -name '*.[ch]' | sort)
report() { # report N NAME FINDINGS
	if [ -z "$3" ]; then echo "ok $1 - $2"; else
		echo "not ok $1 - $2"
		printf '%s\n' "$3" | sed 's/^/# /'
	fi
}
long=$(for f in $files; do
	lines=$(wc -l <"$f")
	[ "$lines" -le 500 ] || echo "$f: $lines lines"
done)
report 1 "files have at most 500 lines" "$long"
# A definition starts with its name in column 1 and its body with a lone "{".
# shellcheck disable=SC2086
found=$(awk '
	FNR == 1 { inside = 0; name = "" }
	!inside && /^[a-z_][a-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name); head = "" }
	!inside && name != "" { head = head $0 }
	/^{$/ && name != "" {
		inside = 1; start = FNR; deep = 0
		sub(/^[a-z0-9_]*\(/, "", head)
		sub(/\)[^)]*$/, "", head)
		gsub(/\([^()]*\)/, "", head)
		params = gsub(/,/, ",", head) + 1
		# The shape of such a callback is of the library that calls it.
		if (params > 6 && name !~ /_on_pull$/) print "params " FILENAME ": " name " has " params
	}
	inside && match($0, /^\t+/) && RLENGTH > deep { deep = RLENGTH }
	inside && /^}$/ {
		if (FNR - start - 1 > 60) print "length " FILENAME ": " name " has " FNR - start - 1 " lines"
		if (deep > 5) print "nesting " FILENAME ": " name " is " deep - 1 " deep"
		inside = 0; name = ""
	}
	!inside && /;$/ { name = "" }
' $files)
report 2 "functions have at most 60 lines" "$(printf '%s\n' "$found" | grep '^length' || true)"
report 3 "functions nest at most 4 deep" "$(printf '%s\n' "$found" | grep '^nesting' || true)"
report 4 "functions take at most 6 parameters" "$(printf '%s\n' "$found" | grep '^params' || true)"
