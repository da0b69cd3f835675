#!/bin/sh
# Builds a C program from several files on a server, downloads it, and runs it on the server. Uses only curl.
#   Examples/build/build.sh [http://127.0.0.1:8080]
set -eu
server=${1:-http://127.0.0.1:8080}
directory=$(cd "$(dirname "$0")" && pwd)
result=$(mktemp -d)
trap 'rm -rf "$result"' EXIT
cd "$directory"

digest() { sha256sum <"$1" | cut -c1-64; }
content() { printf '"%s": {"blob": "sha256:%s"}' "$1" "$(digest "$1")"; }
run() { curl -fsS "$server/runs?wait=30" -H 'Content-Type: application/json' -d @-; }
# A simple pattern is sufficient: each member occurs once, and no text of these runs contains quotation marks.
text() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Uploads only the files that the server does not have yet.
for file in main.c greet.c greet.h; do
    name=sha256:$(digest $file)
    curl -fsSI -o "$result/head" "$server/blobs/$name" 2>"$result/error" ||
        curl -fsS -T $file -o "$result/response" "$server/blobs/$name"
done

run >"$result/run.json" <<END
{"command": ["gcc", "-O2", "-o", "out/hello", "main.c", "greet.c"],
 "files": {$(content main.c), $(content greet.c), $(content greet.h), "out/.keep": ""},
 "artifacts": ["out/hello"]}
END
[ "$(text outcome <"$result/run.json")" = exited ] || { cat "$result/run.json"; exit 1; }
id=$(text id <"$result/run.json")
curl -fsS -o "$result/hello" "$server/runs/$id/artifacts/out/hello"

# The program is a blob on the server already, so no upload is needed.
run >"$result/run.json" <<END
{"command": ["./hello", "from a sandbox"],
 "files": {"hello": {"blob": "sha256:$(digest "$result/hello")", "executable": true}}}
END
id=$(text id <"$result/run.json")
curl -fsS "$server/runs/$id/stdout"
