# TAP: docs/conformance.md is what the tests say, and no item is without one
set -u
cd "$SRCDIR" || exit 1
what="the table of conformance is up to date, and no row is red"
echo 1..1
if [ ! -d tests/e2e ]; then
	echo "ok 1 - a release has the table, and not all of the tests"
elif out=$(python3 tests/conformance/table.py --check 2>&1); then
	echo "ok 1 - $what"
else
	echo "not ok 1 - $what"
	printf '%s\n' "$out" | sed 's/^/# /'
fi
