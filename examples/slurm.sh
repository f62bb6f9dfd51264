#!/usr/bin/env bash
# Slurm: an array job, each task of which computes one part of every model, then one job that merges the stores and ranks.
#   examples/slurm.sh 16 org/first org/second /shared/checkpoints/run-7
# Submits both jobs and exits. WORK is a folder that all nodes share. To resubmit a failed part, for example the third:
#   sbatch --array=3 "$WORK/part.sh"
set -euo pipefail

parts=${1:?how many parts, then the models}
shift
work=${WORK:-$PWD/wqscore-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$work"
printf '%q ' "$@" > "$work/models"

cat > "$work/part.sh" <<END
#!/usr/bin/env bash
#SBATCH --job-name=wqscore --cpus-per-task=${CPUS:-8} --mem=${MEM:-32G} --time=${TIME:-4:00:00} --output=$work/part-%a.log
wqscore rank $(cat "$work/models") --shard "\$SLURM_ARRAY_TASK_ID/$parts" --store "$work/part-\$SLURM_ARRAY_TASK_ID.sqlite" --quiet
END

cat > "$work/rank.sh" <<END
#!/usr/bin/env bash
#SBATCH --job-name=wqscore-rank --cpus-per-task=2 --mem=8G --time=1:00:00 --output=$work/rank.log
set -e
wqscore store merge "$work"/part-*.sqlite --store "$work/all.sqlite"
wqscore rank $(cat "$work/models") --store "$work/all.sqlite" --out "$work/report" --quiet
END

array=$(sbatch --parsable --array="1-$parts" "$work/part.sh")
sbatch --dependency="afterok:${array%%;*}" "$work/rank.sh"
echo "the report will be in $work/report"
