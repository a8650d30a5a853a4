# What happens to a fleet at work, one fault after the other. Sourced by deploy/prove.

# Calls of six seconds: long enough to be struck in the middle, also on a slow machine.
calls=6
slow='deltas=60,delay=100'

# begin GROUP: six calls run, two at each of three workers. Sets ids and made_before.
begin() {
  made_before=$(calls_made)
  mapfile -t ids < <(submit "$1" "$calls" "$slow")
  ((${#ids[@]} == calls)) || fail "${#ids[@]} tasks were accepted, not $calls"
  until_holds 20 "$calls calls are open" calls_open_are "$calls"
}

# accounted GROUP MOST: all of its tasks have their own answer, at most so many calls were made
# again, and each that was stands in its task's history. Sets repeated.
accounted() {
  local n told paid=0
  until_holds 60 "the $calls tasks of \"$1\" have completed" has_completed "$1" "$calls"
  for n in "${!ids[@]}"; do
    told=$(task "${ids[n]}")
    prompt "$1" $((n + 1)) "$slow"
    has_own_answer "$told" "$prompt"
    paid=$((paid + $(count '"possiblyPaid": true' <<<"$told")))
  done
  repeated=$(($(calls_made) - made_before - calls))
  ((repeated >= 0 && repeated <= $2)) || fail "$repeated calls were repeated, at most $2 may be"
  ((paid == repeated)) || fail "$repeated calls were repeated, and the tasks tell of $paid"
}

left_by() {
  local workers
  workers=$(running "$1" 2>/dev/null) && ! grep -qx "$2" <<<"$workers"
}

# strike GROUP WORDS COMMAND HEAL: a container that has calls is struck by the command, and healed
# when the others have done its work.
strike() {
  local group=$1 words=$2 workers victim container found began
  step "$words in the middle of its calls"
  begin "$group"
  workers=$(running "$group")
  victim=${workers%%$'\n'*}
  found=$(count "^$victim$" <<<"$workers")
  container=$(container_of "$victim")
  began=$(now)
  $3 "$container" >/dev/null
  until_holds 30 "$victim is given up" left_by "$group" "$victim"
  figure "$words: its tasks are elsewhere after" "$(seconds_since "$began")"
  accounted "$group" "$found"
  figure "$words: calls repeated" "$repeated of $found in flight there"
  $4 "$container" >/dev/null
  until_workers 3
}

supervisor_killed() {
  local container began
  step "docker kill of the supervisor in the middle of calls"
  begin supervisor
  container=$(compose ps -q supervisor)
  docker kill "$container" >/dev/null
  began=$(now)
  docker start "$container" >/dev/null
  until_workers 3
  figure "docker kill of the supervisor: 3 workers again after" "$(seconds_since "$began")"
  accounted supervisor 0
  figure "docker kill of the supervisor: calls repeated" "$repeated of $calls in flight"
}

restarted() { [[ $(docker inspect -f '{{.RestartCount}} {{.State.Running}}' "$1") == "1 true" ]]; }

# `docker kill` counts as a stop that was asked for; a crash is one of the process itself.
crashed_worker_comes_back() {
  local container pid
  step "the crash of a worker"
  read -r container < <(compose ps -q worker)
  pid=$(docker inspect -f '{{.State.Pid}}' "$container")
  if ! grep -qs taskfleet-worker "/proc/$pid/cmdline" || ! kill -9 "$pid" 2>/dev/null; then
    echo "left out: the containers' processes are not this machine's, or another user's"
    return
  fi
  until_holds 20 "Docker has restarted it" restarted "$container"
  until_workers 3
  echo "Docker has restarted it, and it is registered again"
}
