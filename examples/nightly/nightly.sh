#!/usr/bin/env bash
# Every night, from cron: one more night of the leaderboard, shown only once it has been checked.
#   17 2 * * *  /srv/wqscore/nightly.sh /srv/wqscore/models.toml
# The site grows in STATE and is copied to PUBLIC. Ends with 1 if it is not fit to be shown, 3 if a model could not be
# scored, which keeps its last row.
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
