# TAP: the shipped examples load, pass their own tests; schemas know each key
set -u
cd "$SRCDIR" || exit 1
echo 1..3
dir=$(mktemp -d)
# The loader wants files that nobody else may write.
cp systemd/examples/*.json "$dir" && chmod 600 "$dir"/*.json
if out=$("$BUILDDIR/wayleave" check -c "$dir/wayleave.json" 2>&1); then
	echo "ok 1 - the examples pass check"
else
	echo "not ok 1 - the examples pass check"
	printf '%s\n' "$out" | sed 's/^/# /'
fi
if out=$("$BUILDDIR/wayleave" policy test "$dir/policy.json" 2>&1) &&
	printf '%s\n' "$out" | grep -q '(100%)'; then
	echo "ok 2 - the example policy passes its tests, every rule covered"
else
	echo "not ok 2 - the example policy passes its tests, every rule covered"
	printf '%s\n' "$out" | sed 's/^/# /'
fi
rm -rf "$dir"
missing=
for key in $(sed -n 's/^\t[A-Z0-9]*("\([a-z_]*\)".*/\1/p' agent/config_keys.c); do
	grep -q "\"$key\":" docs/schema/wayleave.schema.json || missing="$missing $key"
done
if [ -z "$missing" ]; then echo "ok 3 - the schema has every key"; else echo "not ok 3 - the schema lacks:$missing"; fi
