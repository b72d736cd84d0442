# TAP: shell scripts pass shellcheck, man pages pass mandoc
set -u
cd "$SRCDIR" || exit 1
echo 1..2
if command -v shellcheck >/dev/null; then
	bad=
	for f in bootstrap autogen.sh tests/*.sh tests/lint/*.sh tests/fuzz/*.sh tests/e2e/*.sh; do
		[ -e "$f" ] || continue
		shellcheck -s bash -S warning "$f" >/dev/null || bad="$bad $f"
	done
	if [ -z "$bad" ]; then echo "ok 1 - shellcheck"; else echo "not ok 1 - shellcheck:$bad"; fi
else
	echo "ok 1 - shellcheck # SKIP not installed"
fi
if command -v mandoc >/dev/null; then
	bad=
	for f in docs/man/*.[1-8]; do
		[ -e "$f" ] || continue
		out=$(mandoc -Tlint -Wwarning "$f" 2>&1) || { bad="$bad $f"; printf '%s\n' "$out" | sed 's/^/# /'; }
	done
	if [ -z "$bad" ]; then echo "ok 2 - man pages"; else echo "not ok 2 - man pages:$bad"; fi
else
	echo "ok 2 - man pages # SKIP mandoc is not installed"
fi
