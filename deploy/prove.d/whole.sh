# The fleet as a whole: built, started, asked, scaled, stopped. Sourced by deploy/prove.

refuses_without_a_key() {
  local said
  step "without a key it says how to go on"
  ! said=$(OPENAI_API_KEY='' docker compose --env-file /dev/null config --quiet 2>&1) ||
    fail "docker compose takes no key for a key"
  echo "$said"
  for way in OPENAI_API_KEY .env 'docker compose --env-file deploy/simulated.env up'; do
    grep -qF -- "$way" <<<"$said" || fail "this does not name $way"
  done
}

builds() {
  local began
  step "docker compose build"
  began=$(now)
  # One first: without BuildKit, images that are built side by side compile side by side.
  compose build --quiet supervisor
  compose --profile simulated --profile cli build --quiet
  figure "built in" "$(seconds_since "$began")"
}

comes_up() {
  local began image
  step "docker compose up --wait"
  began=$(now)
  compose up --wait --no-build --quiet-pull 2>&1 | tail -n 1
  until_workers 3
  figure "from up to ready" "$(seconds_since "$began")"
  curl -fsS http://127.0.0.1:8080/readyz
  for image in supervisor worker openai-sim; do
    figure "image taskfleet-$image" "$(megabytes "$(docker image inspect -f '{{.Size}}' \
      "taskfleet-$image:${TASKFLEET_TAG:-local}")")"
  done
  idle_memory
}

megabytes() { printf '%d.%d MB' $(($1 / 1000000)) $(($1 / 100000 % 10)); }

idle_memory() {
  local name memory
  while read -r name memory _; do
    figure "idle memory of ${name#"$project"-}" "$memory"
  done < <(compose ps -q | xargs docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' | sort)
}

is_locked_down() {
  local container told
  step "no root, no capabilities, nothing writable, no key of the shell"
  for container in $(compose ps -q); do
    told=$(docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}' "$container")
    [[ $told == "65532:65532 true [ALL] [no-new-privileges:true]" ]] || fail "$container: $told"
    told=$(docker inspect "$container")
    [[ $told != *"$OPENAI_API_KEY"* && $told != *"$OPENAI_BASE_URL"* ]] ||
      fail "$container has what the shell holds for the real API"
  done
  for container in $(compose ps -q worker); do
    [[ $(docker port "$container") == '' ]] || fail "a worker is published"
  done
  [[ $(compose port supervisor 50051) == 127.0.0.1:50051 ]] || fail "not published on loopback alone"
  docker logs "$(compose ps -q openai-sim)" 2>&1 | grep simulated || fail "it does not say so"
}

answers_the_readme() {
  step "the README's grpcurl lines"
  bash .ci/grpcurl --running
  step "the command line in a container"
  compose run --rm --no-deps cli submit --wait "Name three uses of a paper clip." |
    grep "digest:$(printf 'Name three uses of a paper clip.' | sha256sum | cut -c1-16)"
}

scaled_under_load() {
  local tasks=3000 made completed failed began
  step "--scale worker=6 under load, and back"
  made=$(calls_made) completed=$(stat completed) failed=$(stat failed)
  submit scale "$tasks" 'deltas=20,delay=100' >/dev/null
  began=$(now)
  compose up --detach --wait --no-build --no-recreate --scale worker=6 >/dev/null 2>&1
  until_workers 6
  figure "--scale worker=6: six workers after" "$(seconds_since "$began")"
  (($(stat queued) > 0)) || fail "the load was over before there were six workers"
  until_holds 20 "more runs than three workers could" more_than_three_run
  compose up --detach --no-build --no-recreate --scale worker=3 >/dev/null 2>&1
  until_workers 3
  until_holds 90 "the load is done" stat_is completed $((completed + tasks))
  made=$(($(calls_made) - made - tasks))
  [[ $(stat failed) == "$failed" && $made == 0 ]] || fail "$made calls were repeated, $(stat failed) tasks failed"
  figure "--scale worker=6 and back: calls repeated" "0 of $tasks, in $(seconds_since "$began")"
}

more_than_three_run() { (($(stat slotsInUse) > 3 * 64)); }

# Half of it runs when it is told to stop, and half waits: nothing of either may be lost.
stopped_and_back() {
  local tasks=250 completed began container code id ids paid
  step "docker compose stop under load, down, and up again"
  completed=$(stat completed)
  id=$(submit first 1 'deltas=1')
  until_holds 20 "it has completed" has_completed first 1
  mapfile -t ids < <(submit stop "$tasks" 'deltas=60,delay=100')
  until_holds 20 "all slots are taken" stat_is slotsInUse 192
  began=$(now)
  compose stop >/dev/null 2>&1
  figure "docker compose stop under load: stopped in" "$(seconds_since "$began")"
  for container in $(compose ps --all -q); do
    code=$(docker inspect -f '{{.Name}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$container")
    [[ $code == *" 0 false" ]] || fail "it did not stop by itself: $code"
  done
  compose down >/dev/null 2>&1
  compose up --wait --no-build >/dev/null 2>&1
  prompt first 1 'deltas=1'
  has_own_answer "$(task "$id")" "$prompt"
  until_holds 60 "what waited is done" stat_is completed $((completed + 1 + tasks))
  # The simulated API was stopped too and forgot what it counted: the tasks have not.
  paid=$(for id in "${ids[@]}"; do task "$id"; done | count '"possiblyPaid": true')
  ((paid == 0)) || fail "$paid calls may have been paid twice"
  figure "docker compose stop under load: calls repeated" "0 of $tasks"
}
