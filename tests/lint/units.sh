# TAP: the unit is hardened to an exposure of at most 1.5, the lock parses
set -u
echo 1..2
if command -v systemd-analyze >/dev/null; then
	dir=$(mktemp -d)
	sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$BUILDDIR/systemd/wayleaved.service" >"$dir/wayleaved.service"
	out=$(systemd-analyze security --offline=yes --no-pager --threshold=15 "$dir/wayleaved.service" 2>&1) &&
		echo "ok 1 - exposure at most 1.5" || { echo "not ok 1 - exposure at most 1.5"; printf '%s\n' "$out" | grep -v '^.✓' | sed 's/^/# /'; }
	rm -rf "$dir"
else
	echo "ok 1 - exposure at most 1.5 # SKIP systemd-analyze is not installed"
fi
if [ "$(id -u)" = 0 ] && command -v nft >/dev/null && getent passwd wayleave >/dev/null; then
	if out=$(unshare -n nft -c -f "$SRCDIR/systemd/wayleave-egress.nft" 2>&1); then
		echo "ok 2 - the egress lock parses"
	else
		echo "not ok 2 - the egress lock parses"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
else
	echo "ok 2 - the egress lock parses # SKIP needs root, nft and the user wayleave"
fi
