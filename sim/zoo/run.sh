#!/usr/bin/env bash
# The bug zoo: each patch brings a bug back that ZooKeeper had, and the simulator has to find it by the checker that the patch
# names. Applies each in one scratch worktree with one target directory, sweeps until the first violation, writes sim/ZOO.md.
# usage: sim/zoo/run.sh [-s SEEDS] [Z31 Z43 …]      environment: ZOO_PROFILE (zoo), ZOO_WORKTREE, ZOO_TARGET, ZOO_TABLE
set -euo pipefail
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
seeds=3000
if [ "${1:-}" = -s ]; then seeds=$2; shift 2; fi
worktree=${ZOO_WORKTREE:-$top/target/zoo-worktree}
export CARGO_TARGET_DIR=${ZOO_TARGET:-$top/target/zoo-target}
profile=${ZOO_PROFILE:-zoo}
table=${ZOO_TABLE:-$top/sim/ZOO.md}
directory=$profile; [ "$profile" != dev ] || directory=debug
commit=$(git -C "$top" rev-parse --short HEAD)
[ -e "$worktree/.git" ] || git -C "$top" worktree add --quiet --detach "$worktree" HEAD
git -C "$worktree" checkout --quiet --detach "$commit"

bugs=("$@")
[ ${#bugs[@]} -gt 0 ] || for patch in "$top"/sim/zoo/Z*.patch; do bugs+=("$(basename "$patch" .patch)"); done
failed=0
rows=()
for bug in "${bugs[@]}"; do
  patch=$top/sim/zoo/$bug.patch
  expected=$(sed -n 's/^Expected: //p' "$patch")
  jira=$(sed -n 's/^JIRA: //p' "$patch")
  git -C "$worktree" checkout --quiet -- .
  # The empty patch has nothing to apply.
  if grep -q '^diff ' "$patch"; then git -C "$worktree" apply "$patch"; fi
  (cd "$worktree" && cargo build --quiet --profile "$profile" -p quorate-sim 2>/dev/null) || { echo "$bug does not compile"; failed=1; continue; }
  started=$SECONDS
  output=$("$CARGO_TARGET_DIR/$directory/quorate-sim" sweep --seeds "0..$seeds" --until-violation || true)
  seed=$(sed -n 's/^seed \([0-9]*\) breaks.*/\1/p' <<<"$output" | head -n 1)
  found=$(sed -n 's/^seed [0-9]* breaks \([a-z_]*\).*/\1/p' <<<"$output" | head -n 1)
  [ -n "$found" ] || found=nothing
  verdict=caught; [ "$expected" != nothing ] || verdict="not caught, as it should"
  if [ "$found" != "$expected" ]; then verdict="MISSED"; failed=1; fi
  rows+=("| $bug | $jira | $expected | $found | ${seed:--} | $((SECONDS - started)) | $verdict |")
  echo "${rows[-1]}"
done
git -C "$worktree" checkout --quiet -- .
{
  echo "# The bug zoo"
  echo
  echo "Written by \`sim/zoo/run.sh\` at commit $commit, profile $profile, at most $seeds seeds for each bug, from seed 0."
  echo "A bug is caught when the first violation is that of the expected checker. Seeds change with the generator of plans."
  echo
  echo "| bug | JIRA | expected checker | found | seed | s | verdict |"
  echo "|---|---|---|---|---|---|---|"
  printf '%s\n' "${rows[@]}"
} >"$table"
exit "$failed"
