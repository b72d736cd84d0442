# TAP: words that do not occur in our C
set -u
cd "$SRCDIR" || exit 1
echo 1..3
files=$(find base loop policy identity proxy agent -name '*.[ch]')
# shellcheck disable=SC2086
bad=$(grep -nE '(^|[^a-z_A-Z0-9])(strcpy|strcat|sprintf|vsprintf|gets|strtok|sscanf|atoi|atol|alloca|inet_aton|ares_inet_pton|gethostbyname|getaddrinfo)\(' $files || true)
if [ -z "$bad" ]; then echo "ok 1 - no banned function"; else
	echo "not ok 1 - no banned function"
	printf '%s\n' "$bad" | sed 's/^/# /'
fi
# shellcheck disable=SC2086
bad=$(grep -nE '(TODO|FIXME|HACK)' $files || true)
if [ -z "$bad" ]; then echo "ok 2 - nothing left for later"; else
	echo "not ok 2 - nothing left for later"
	printf '%s\n' "$bad" | sed 's/^/# /'
fi
bad=$(for f in $files; do head -1 "$f" | grep -q '^/\*' || echo "$f"; done)
if [ -z "$bad" ]; then echo "ok 3 - each file starts by saying what it is"; else
	echo "not ok 3 - each file starts by saying what it is"
	printf '%s\n' "$bad" | sed 's/^/# /'
fi
