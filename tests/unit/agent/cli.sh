# TAP: the wayleave program without a daemon: exit codes, help, the audit verbs
set -u
w=$BUILDDIR/wayleave
logs=$SRCDIR/tests/fuzz/corpus/audit
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# The key of the corpus, as in fuzz_audit.c.
grep -o '"[-A-Za-z0-9+/= ]*\\n"' "$SRCDIR/tests/fuzz/fuzz_audit.c" |
	sed 's/^"//; s/\\n"$//' >"$tmp/audit.pub"
n=0

# check NAME CODE PATTERN ARGS...: what it exits with and prints (both ends)
check() {
	name=$1 code=$2 pattern=$3
	shift 3
	n=$((n + 1))
	"$w" "$@" >"$tmp/out" 2>&1 </dev/null
	got=$?
	if [ "$got" -eq "$code" ] && grep -Eq -e "$pattern" "$tmp/out"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# exit $got, not $code, or no match for: $pattern"
		sed 's/^/# /' "$tmp/out"
	fi
}

none=$tmp/no.sock
check "no verb is a usage error" 64 '^Usage: wayleave VERB'
check "help lists the verbs" 0 '^  audit ' --help
n=$((n + 1))
if "$w" --help >/dev/full 2>/dev/null || [ $? -ne 74 ]; then
	echo "not ok $n - help that cannot be printed is an I/O error"
else
	echo "ok $n - help that cannot be printed is an I/O error"
fi
check "an unknown verb names the nearest" 64 'did you mean "status"' statsu
check "a far word names none" 64 'see wayleave --help' frobnicate
check "the version is printed" 0 '^wayleave [0-9]' --version
for verb in login logout doctor; do
	check "$verb says that it is not in this version" 69 \
		'not in this version' $verb
done
for verb in status wait env run token audit check why policy ca; do
	check "$verb has help" 0 "^[Uu]sage: wayleave $verb" $verb --help
done
check "status without a daemon" 69 'is wayleaved running' status --socket "$none"
check "ca without a daemon" 69 'no daemon' ca show --socket "$none"
check "ca wants a word" 64 'show, export or rotate' ca
check "wait gives up" 69 'no daemon listens' wait --timeout 0 --socket "$none"
check "wait wants a number" 64 'seconds' wait --timeout soon
check "env without a daemon" 69 'no daemon' env --socket "$none"
check "env knows its clients" 64 'no client "javaa"; did you mean java' \
	env --client javaa
check "env lists its clients" 0 '^spark  *pyspark reads' env --clients
check "env lists its clients as JSON" 0 '"name": "urllib3"' env --clients --json
check "env knows its shells" 64 'no shell "csh"' env --shell csh
check "run runs nothing without a daemon" 69 'no daemon' run --socket "$none" -- true
check "run wants a command" 64 'what to run' run
check "token wants a word" 64 'list or revoke' token
check "token list takes no user" 64 'list or revoke' token list --user root
check "token revoke without a daemon" 69 'no daemon' \
	token revoke --all --socket "$none"
check "token revoke takes one of them" 64 'exclude each other' \
	token revoke --all --user root
check "token revoke knows its users" 64 'no user is called' \
	token revoke --user no-such-user
for verb in learn diff init; do
	check "policy $verb is not there yet" 69 \
		"policy $verb is not in this version" policy $verb a b --against c
	check "the help of policy says so of $verb" 0 \
		"Not in this version:.* policy $verb" policy $verb --help
done

key="--key $tmp/audit.pub"
# shellcheck disable=SC2086 # two words on purpose
{
	check "a sound log" 0 '^signed by key .* up to record 7' \
		audit verify $key --head $logs/head.jsonl $logs/sound.jsonl
	check "its end is signed" 0 '"end": "signed"' \
		audit verify $key --json --head $logs/head.jsonl $logs/sound.jsonl
	check "without a head the end is undecidable" 0 '^undecidable: ' \
		audit verify $key $logs/sound.jsonl
	check "a flipped record" 1 ':3: flipped: record 3' \
		audit verify $key $logs/flipped.jsonl
	check "a missing record" 1 ':2: missing: record 2' \
		audit verify $key $logs/missing.jsonl
	check "swapped records" 1 ':2: swapped: record 3' \
		audit verify $key $logs/swapped.jsonl
	check "a torn end" 1 ':7: torn: ' audit verify $key $logs/torn.jsonl
	check "a file that is not there" 74 'No such file' \
		audit verify $key "$tmp/none.jsonl"
}
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 711 "$tmp" && : >"$tmp/mine" && chmod 600 "$tmp/mine"
	n=$((n + 1))
	setpriv --reuid=65533 --clear-groups "$w" audit query "$tmp/mine" >/dev/null 2>&1
	if [ $? -eq 77 ]; then echo "ok $n - what may not be read is 77"; else
		echo "not ok $n - what may not be read is 77"
	fi
fi
head -n 5 "$logs/sound.jsonl" >"$tmp/one.jsonl"
tail -n +6 "$logs/sound.jsonl" >"$tmp/two.jsonl"
check "a cut end, with the head" 1 ':5: cut: ' \
	audit verify --key "$tmp/audit.pub" --head "$logs/head.jsonl" "$tmp/one.jsonl"
check "a run of files in any order" 0 '^sound: 7 records' \
	audit verify --key "$tmp/audit.pub" "$tmp/two.jsonl" "$tmp/one.jsonl"
check "a lone later file" 0 'the first states prev' \
	audit verify --key "$tmp/audit.pub" "$tmp/two.jsonl"
check "query filters by code" 0 'a.blob.core.windows.net' \
	audit query --code DNS_SERVFAIL --host '*.blob.core.windows.net' "$logs/sound.jsonl"
check "query counts by group" 0 '^ +2  a.blob.core.windows.net +root' \
	audit query --group-by host,user "$logs/sound.jsonl"
check "query knows its columns" 64 'no column "hots"' \
	audit query --group-by hots "$logs/sound.jsonl"
check "query wants a time" 64 'is no time' audit query --since monday "$logs/sound.jsonl"
check "tail shows the last record" 0 '"event":"checkpoint"' \
	audit tail -n 1 --json "$logs/sound.jsonl"
check "export gives CSV" 0 '"DNS_SERVFAIL"' \
	audit export --format csv "$logs/sound.jsonl"
check "an unknown sub-verb names the nearest" 64 'did you mean "query"' audit querry
echo "1..$n"
