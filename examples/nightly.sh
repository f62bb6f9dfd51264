#!/usr/bin/env bash
# Every night, from cron: gates each model by the policy and by its change since the last night that passed.
#   17 2 * * *  /srv/wqscore/nightly.sh org/first org/second
# Writes a textfile per model for node_exporter, and exits with 1 if any gate does not pass.
set -uo pipefail

textfiles=${TEXTFILES:-/var/lib/node_exporter/textfile_collector}
state=${STATE:-/srv/wqscore/state}
policy=${POLICY:-/srv/wqscore/policy.toml}

mkdir -p "$state" "$textfiles" || exit 1
status=0
for model in "$@"; do
    name=${model//[^A-Za-z0-9._-]/-}
    changes=()
    if [[ -f $state/$name.json ]]; then
        changes=(--baseline "$state/$name.json" --rule "worse(alpha)")
    fi
    if wqscore gate "$model" --policy "$policy" "${changes[@]}" --prometheus "$textfiles/$name.prom" --quiet; then
        # Tomorrow's baseline, replaced atomically.
        wqscore score "$model" --format json --quiet > "$state/$name.json.new" &&
            mv "$state/$name.json.new" "$state/$name.json" || status=1
    else
        status=1
    fi
done
exit "$status"
