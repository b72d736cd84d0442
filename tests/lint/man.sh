# TAP: every key of the configuration is in its man page
set -u
cd "$SRCDIR" || exit 1
echo 1..1
page=docs/man/wayleave.json.5
missing=
for key in $(sed -n 's/^\t[A-Z0-9]*("\([a-z_]*\)".*/\1/p' agent/config_keys.c); do
	grep -qw -- "$key" "$page" || missing="$missing $key"
done
if [ -z "$missing" ]; then echo "ok 1 - wayleave.json(5) has every key"; else echo "not ok 1 - wayleave.json(5) lacks:$missing"; fi
