#!/usr/bin/env bash
# Every night, from cron: updates the leaderboard and publishes it if the check passes.
#   17 2 * * *  /srv/wqscore/nightly.sh /srv/wqscore/models.toml
# Builds the site in STATE and copies it to PUBLIC. Exits with 1 if the check fails, and with 3 if a model could not be
# scored (it keeps its last row, and the site is published).
set -uo pipefail

state=${STATE:-/srv/wqscore/state}
public=${PUBLIC:-/srv/www/leaderboard}
url=${URL:-}

mkdir -p "$state" "$public" || exit 1
wqscore leaderboard build "$@" --out "$state/site" --store "$state/store.sqlite" --url "$url" --quiet
built=$?
if [[ $built != 0 && $built != 3 ]]; then
    exit "$built"
fi
wqscore leaderboard check "$state/site" || exit 1
cp -R "$state/site/." "$public/" || exit 1
exit "$built"
