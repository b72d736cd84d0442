#!/bin/sh
# Runs a test program; cmocka before 1.1.6 calls a skip "not ok ... # SKIP",
# which TAP readers take for a failure.
{
	code=$({ { "$@" 3>&- 4>&-; echo $? >&3; } |
		sed 's/^not ok \([0-9]*\) # SKIP/ok \1 # SKIP/' >&4; } 3>&1)
} 4>&1
exit "$code"
