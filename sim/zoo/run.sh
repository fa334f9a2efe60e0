#!/usr/bin/env bash
# The bug zoo: each patch brings a bug back that ZooKeeper had (its JIRA line says which), or one that nobody reported, and the simulator has
# to find it by the checker that the patch names, in the scenario that it names (r0 if none). Applies one after the other in one scratch
# worktree with one target directory, sweeps until that checker finds something, and writes sim/ZOO.md: the rows of the bugs that were run; the
# others stay, and what follows the table does. The empty patch comes last, with a few times the seeds that the slowest catch needed.
# usage: sim/zoo/run.sh [-s SEEDS] [Z31 Z43 …]      environment: ZOO_PROFILE (zoo), ZOO_WORKTREE, ZOO_TARGET, ZOO_TABLE
set -euo pipefail
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
seeds=1000
if [ "${1:-}" = -s ]; then seeds=$2; shift 2; fi
worktree=${ZOO_WORKTREE:-$top/target/zoo-worktree}
export CARGO_TARGET_DIR=${ZOO_TARGET:-$top/target/zoo-target}
profile=${ZOO_PROFILE:-zoo}
table=${ZOO_TABLE:-$top/sim/ZOO.md}
directory=$profile; [ "$profile" != dev ] || directory=debug
commit=$(git -C "$top" rev-parse --short HEAD)
[ -e "$worktree/.git" ] || git -C "$top" worktree add --quiet --detach "$worktree" HEAD
git -C "$worktree" checkout --quiet -- .
git -C "$worktree" checkout --quiet --detach "$commit"

bugs=("$@")
if [ ${#bugs[@]} -eq 0 ]; then
  for patch in "$top"/sim/zoo/Z*.patch; do
    bug=$(basename "$patch" .patch)
    [ "$bug" = Z00 ] || bugs+=("$bug")
  done
  bugs+=(Z00)
fi
log=$(mktemp -d)
trap 'rm -rf "$log"; git -C "$worktree" checkout --quiet -- .' EXIT
failed=0
slowest=0
rows=()
TIMEFORMAT='%U %S'
for bug in "${bugs[@]}"; do
  patch=$top/sim/zoo/$bug.patch
  expected=$(sed -n 's/^Expected: //p' "$patch")
  jira=$(sed -n 's/^JIRA: //p' "$patch")
  scenario=$(sed -n 's/^Scenario: //p' "$patch")
  scenario=${scenario:-r0}
  limit=$seeds named=$expected
  [ "$expected" != nothing ] || named=
  [ "$expected" != nothing ] || [ "$slowest" -eq 0 ] || limit=$((4 * slowest + 100))
  git -C "$worktree" checkout --quiet -- .
  # The empty patch has nothing to apply.
  if grep -q '^diff ' "$patch"; then
    git -C "$worktree" apply "$patch" || { echo "$bug does not apply"; failed=1; continue; }
  fi
  (cd "$worktree" && cargo build --quiet --profile "$profile" -p quorate-sim 2>"$log/build") || {
    echo "$bug does not compile"; cat "$log/build"; failed=1; continue
  }
  { time "$CARGO_TARGET_DIR/$directory/quorate-sim" sweep --scenario "$scenario" --seeds "0..$limit" --until-violation $named >"$log/sweep" || true; } 2>"$log/cpu"
  cpu=$(awk 'END { printf "%.1f", $1 + $2 }' "$log/cpu")
  seed=$(sed -n 's/^seed \([0-9]*\) breaks.*/\1/p' "$log/sweep" | head -n 1)
  found=$(sed -n 's/^seed [0-9]* breaks \([a-z_]*\).*/\1/p' "$log/sweep" | head -n 1)
  [ -n "$found" ] || found=nothing
  others=$(sed -n 's/^seed [0-9]* breaks \([a-z_]*\).*/\1/p' "$log/sweep" | tail -n +2 | sort -u | { grep -vx "$found" || true; } | paste -sd ' ')
  [ "${seed:-0}" -le "$slowest" ] || slowest=$seed
  verdict=caught; [ "$expected" != nothing ] || verdict="not caught, as it should"
  if [ "$found" != "$expected" ]; then verdict="MISSED"; failed=1; cat "$log/sweep"; fi
  events=$(sed -n 's/^events *\([0-9]*\) .*/\1/p' "$log/sweep")
  seed=${seed:-none of $limit}
  rows+=("| $bug | $jira | $scenario | $expected | $found${others:+ (also $others)} | $seed | ${events:-} | $cpu | $commit | $verdict |")
  echo "${rows[-1]}"
  [ ! -e "$table" ] || sed -i "/^| $bug |/d" "$table"
done
touch "$table"
{
  echo "# The bug zoo"
  echo
  echo "Written by \`sim/zoo/run.sh\`, profile zoo, from seed 0 up to the first violation that the expected checker finds; each row at the"
  echo "commit that it names. What other checkers found up to there stands behind it. Seeds change with the generator of plans."
  echo "Events and CPU s are those of the sweep up to its end, CPU s user and system, on all processors; the build is not in them."
  echo
  echo "| bug | JIRA | scenario | expected checker | found | seed | events | CPU s | commit | verdict |"
  echo "|---|---|---|---|---|---|---|---|---|---|"
  { printf '%s\n' "${rows[@]}"; grep '^| Z' "$table" || true; } | sed 's/^| Z00/| Z~00/' | LC_ALL=C sort | sed 's/^| Z~00/| Z00/'
  sed -n '/^## /,$p' "$table" | sed '1s/^/\n/'
} >"$log/table"
cp "$log/table" "$table"
exit "$failed"
