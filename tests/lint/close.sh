# TAP: every word of the audit's `close` is in its man page
set -u
cd "$SRCDIR" || exit 1
echo 1..1
page=docs/man/wayleave-audit.5
missing=
for word in $(sed -n 's/^\tX([A-Z]*, "\([a-z]*\)").*/\1/p' proxy/close.h); do
	grep -qw -- "$word" "$page" || missing="$missing $word"
done
if [ -z "$missing" ]; then echo "ok 1 - wayleave-audit(5) has every close"; else echo "not ok 1 - wayleave-audit(5) lacks:$missing"; fi
