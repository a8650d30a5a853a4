# What the proof asks of a running fleet, and how it waits. Sourced by deploy/prove.

supervisor=127.0.0.1:50051
sim=http://127.0.0.1:9900

figures=
# figure WORDS VALUE: told now, and once more in the table at the end.
figure() { figures+="$1|$2"$'\n'; printf '%s: %s\n' "$1" "$2"; }

# Milliseconds, for differences only.
now() { echo $(($(date +%s%N) / 1000000)); }
seconds_since() { local ms=$(($(now) - $1)); printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100)); }

# until_holds SECONDS WORDS COMMAND…: asks again until the command succeeds, and no longer.
until_holds() {
  local limit=$1 words=$2 deadline
  shift 2
  deadline=$(($(now) + limit * 1000))
  until "$@"; do
    (($(now) < deadline)) || fail "not within $limit s: $words"
    read -rt 0.1 <> <(:) || true
  done
}

# rpc SERVICE/METHOD [JSON]
rpc() { grpcurl -plaintext -max-time 20 -d "${2:-{\}}" "$supervisor" "taskfleet.v1.$1"; }

# count WORDS: how many lines on standard input have them.
count() { grep -c -- "$1" || true; }

workers_ready() { rpc FleetService/ListWorkers 2>/dev/null | count WORKER_STATE_READY; }
has_workers() { [[ $(workers_ready) == "$1" ]]; }
until_workers() { until_holds 60 "$1 workers are ready" has_workers "$1"; }

# stat NAME: one number of GetStats; what is 0 is left out there.
stat() { rpc FleetService/GetStats | sed -n "s/.*\"$1\": \"\{0,1\}\([0-9]*\).*/\1/p" | grep . || echo 0; }
stat_is() { [[ $(stat "$1" 2>/dev/null) == "$2" ]]; }

# What the simulated API has counted since it was started.
calls_made() { curl -fsS "$sim/sim/calls" | sed 's/^{"total":\([0-9]*\),.*/\1/'; }
calls_open() { curl -fsS "$sim/sim/calls" | sed 's/^{"total":[0-9]*,"open":\([0-9]*\),.*/\1/'; }
calls_open_are() { [[ $(calls_open) == "$1" ]]; }

# prompt GROUP N MODIFIERS: sets prompt to that of a group's n-th task; the modifiers say how the
# simulated API takes it.
prompt() { printf -v prompt 'Task %s of %s. [sim:ok,%s]' "$2" "$1" "$3"; }

# submit GROUP NUMBER MODIFIERS: so many tasks at once; prints their ids.
submit() {
  local tasks='' n
  for n in $(seq "$2"); do
    prompt "$1" "$n" "$3"
    tasks+="${tasks:+,}{\"content\": \"$prompt\", \"group\": \"$1\"}"
  done
  grpcurl -plaintext -max-time 60 -d @ "$supervisor" taskfleet.v1.TaskService/SubmitTasks \
    <<<"{\"tasks\": [$tasks]}" | sed -n 's/.*"taskId": "\(.*\)".*/\1/p'
}

# running GROUP: the worker of each of its tasks that runs, one a line.
running() {
  rpc TaskService/ListTasks \
    "{\"filter\": {\"group\": \"$1\", \"states\": [\"TASK_STATE_RUNNING\"]}, \"page_size\": 1000}" |
    sed -n 's/.*"worker": "\(.*\)".*/\1/p'
}

completed() {
  rpc TaskService/ListTasks \
    "{\"filter\": {\"group\": \"$1\", \"states\": [\"TASK_STATE_COMPLETED\"]}, \"page_size\": 1000}" |
    count TASK_STATE_COMPLETED
}
has_completed() { [[ $(completed "$1" 2>/dev/null) == "$2" ]]; }

# has_own_answer TASK PROMPT: the simulated API begins each answer with a digest of its prompt.
has_own_answer() {
  local digest
  digest=$(printf '%s' "$2" | sha256sum | cut -c1-16)
  [[ $1 == *"digest:$digest"* ]] || fail "this is not the answer to \"$2\": $1"
}

task() { rpc TaskService/GetTask "{\"task_id\": \"$1\"}"; }

# The container of a worker: its name begins with its machine's, which is the container's id.
container_of() { echo "${1%-*}"; }
