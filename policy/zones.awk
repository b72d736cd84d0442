# Makes the C table of zones.c from zones.txt.
# One entry a row: its suffixes and zones, joined by spaces.
function quote(s) { gsub(/[\\"]/, "\\\\&", s); return "\"" s "\"" }
# Files a row under its last two labels, by which zones.c looks it up.
function add(suffix,    n, labels, key, tail) {
	n = split(suffix, labels, ".")
	key = labels[n - 1] "." labels[n]
	if (n < 2 || index(key, "{") > 0) {
		print "zones.txt: suffix " suffix " is too wide" > "/dev/stderr"
		failed = 1
		exit 1
	}
	if (!(key in rows))
		keys[n_keys++] = key
	tail = suffix
	sub(/^.*}/, "", tail)
	rows[key] = rows[key] sprintf( \
	    "\t{ %s, %d, %d, %s, %s, %s, %s, %s, %s },\n", quote(suffix),
	    length(suffix), length(tail), quote(zones), quote(service),
	    quote(groups), exact, account,
	    (suffix in aliases) ? "true" : "false")
	counts[key]++
}
function flush() {
	if (service == "")
		return
	if (suffixes == "" || zones == "") {
		print "zones.txt: entry " service " is empty" > "/dev/stderr"
		failed = 1
		exit 1
	}
	n = split(suffixes, s, " ")
	for (i = 1; i <= n; i++)
		add(s[i])
	service = ""
}
BEGIN { print "/* Made by zones.awk from zones.txt: do not edit. */" }
BEGIN { n_accounts = 0; n_hosts = 0; n_keys = 0 }
/^entry / {
	flush()
	exact = $3 == "exact" ? "true" : "false"
	account = $4 == "account" ? "true" : "false"
	groups = $6
	service = $7
	for (f = 8; f <= NF; f++)
		service = service " " $f
	suffixes = ""
	zones = ""
	next
}
/^suffix / { suffixes = suffixes (suffixes == "" ? "" : " ") $2; next }
/^alias / { suffixes = suffixes " " $2; aliases[$2] = 1; next }
/^zone / { zones = zones (zones == "" ? "" : " ") $2; next }
/^account / { accounts[n_accounts++] = $2; next }
/^public / {
	why = $3
	for (f = 4; f <= NF; f++)
		why = why " " $f
	hosts[n_hosts] = $2
	whys[n_hosts++] = why
	next
}
/^(#|$|source |region |note )/ { next }
{ print "zones.txt:" NR ": unknown line" > "/dev/stderr"; failed = 1; exit 1 }
END {
	if (failed)
		exit 1
	flush()
	print "static const struct zone_entry entries[] = {"
	for (i = 0; i < n_keys; i++)
		printf "%s", rows[keys[i]]
	print "};\n\nstatic const struct zone_group groups[] = {"
	first = 0
	for (i = 0; i < n_keys; i++) {
		printf "\t{ %s, %d, %d, %d },\n", quote(keys[i]),
		    length(keys[i]), first, counts[keys[i]]
		first += counts[keys[i]]
	}
	print "};\n\nstatic const char *const account_suffixes[] = {"
	for (i = 0; i < n_accounts; i++)
		print "\t" quote(accounts[i]) ","
	print "};\n\nstatic const struct public_host public_hosts[] = {"
	for (i = 0; i < n_hosts; i++)
		print "\t{ " quote(hosts[i]) ", " quote(whys[i]) " },"
	print "};"
}
