-- Whoever changes this raises FORMAT in open.rs.
-- Times are milliseconds since 1970, durations nanoseconds. Codes: see codes.rs.

-- One row: which store this is, and the numbers that are kept, not counted.
CREATE TABLE store (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    store_id     BLOB    NOT NULL,
    epoch        INTEGER NOT NULL,
    queued       INTEGER NOT NULL DEFAULT 0,
    running      INTEGER NOT NULL DEFAULT 0,
    completed    INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0,
    cancelled    INTEGER NOT NULL DEFAULT 0,
    queued_bytes INTEGER NOT NULL DEFAULT 0,
    last_outcome INTEGER NOT NULL DEFAULT 0,
    attempts_failed INTEGER NOT NULL DEFAULT 0,
    worker_losses   INTEGER NOT NULL DEFAULT 0,
    throttles       INTEGER NOT NULL DEFAULT 0,
    requeues        INTEGER NOT NULL DEFAULT 0
);

-- The hot rows: every decision reads and writes only these. Ids are UUIDs of version 7, so
-- new rows land side by side.
CREATE TABLE tasks (
    id              BLOB    NOT NULL PRIMARY KEY,
    -- Of the rows in specs, results and attempts: a short, rising key.
    seq             INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    lease           INTEGER NOT NULL,
    lease_unheard   INTEGER NOT NULL,
    lease_borrowed  INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    losses          INTEGER NOT NULL,
    throttles       INTEGER NOT NULL,
    requeues        INTEGER NOT NULL,
    max_attempts    INTEGER NOT NULL,
    initial_backoff INTEGER NOT NULL,
    max_backoff     INTEGER NOT NULL,
    priority        INTEGER NOT NULL,
    tenant          TEXT    NOT NULL,
    -- Empty: none.
    model           TEXT    NOT NULL,
    -- What decides, besides the model, which workers can take it: see demand.rs.
    demand          INTEGER NOT NULL,
    size_bytes      INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    not_before      INTEGER,
    attempt_timeout INTEGER NOT NULL,
    boot_id         BLOB,
    worker          TEXT,
    address         TEXT,
    claimed_at      INTEGER,
    finished_at     INTEGER,
    kind            TEXT,
    grp             TEXT    NOT NULL,
    client_ref      TEXT,
    -- The number of its outcome: set when the task ends.
    outcome         INTEGER
) WITHOUT ROWID;

-- Lane by lane (priority, tenant, model, demand), first what never waited for a backoff, by
-- age, then the rest by the end of its backoff.
CREATE INDEX tasks_queued ON tasks (priority DESC, tenant, model, demand, not_before, id)
    WHERE state = 0;
CREATE INDEX tasks_running ON tasks (id) WHERE state = 1;
-- For lists, newest first. A submission pays for those that it uses, a claim for the first,
-- a completed task for none.
CREATE INDEX tasks_waiting ON tasks (id) WHERE state = 0;
CREATE INDEX tasks_failed ON tasks (state, id) WHERE state > 2;
CREATE INDEX tasks_group ON tasks (grp, id) WHERE grp <> '';
CREATE INDEX tasks_tenant ON tasks (tenant, id) WHERE tenant <> '';
-- Open tasks. Said by the outcome and not by the state, so that a claim need not touch it.
CREATE INDEX tasks_deadline ON tasks (deadline, id) WHERE outcome IS NULL;
CREATE UNIQUE INDEX tasks_outcome ON tasks (outcome) WHERE outcome IS NOT NULL;
CREATE UNIQUE INDEX tasks_client_ref ON tasks (tenant, grp, client_ref)
    WHERE client_ref IS NOT NULL;

-- Only of tasks that have a key. Apart from the hot rows, so that these stay narrow.
CREATE TABLE idempotency (
    key     TEXT NOT NULL PRIMARY KEY,
    task_id BLOB NOT NULL,
    digest  BLOB NOT NULL
) WITHOUT ROWID;

-- What was asked for, beyond the hot row. An ordinary table, for its rows may be large;
-- the large columns stand last, so that reading the others does not read them.
CREATE TABLE specs (
    seq        INTEGER PRIMARY KEY,
    -- Of a request; of content none.
    endpoint   TEXT,
    parent_id  BLOB,
    retry_of   BLOB,
    -- From submission to the deadline.
    time_limit INTEGER NOT NULL,
    -- JSON object.
    labels     TEXT,
    -- JSON object: what is never asked for by itself.
    rest       TEXT,
    -- The prompt, or the body of the request.
    body       TEXT    NOT NULL
);

-- For finding tasks by their labels.
CREATE TABLE labels (
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    task_id BLOB NOT NULL,
    PRIMARY KEY (key, value, task_id)
) WITHOUT ROWID;

-- Ended leases.
CREATE TABLE attempts (
    seq                 INTEGER NOT NULL,
    lease               INTEGER NOT NULL,
    worker              TEXT    NOT NULL,
    boot_id             BLOB    NOT NULL,
    started_at          INTEGER NOT NULL,
    ended_at            INTEGER NOT NULL,
    ending              INTEGER NOT NULL,
    kind                TEXT,
    delivery            INTEGER,
    http_status         INTEGER,
    provider_request_id TEXT    NOT NULL,
    possibly_paid       INTEGER NOT NULL,
    error               TEXT    NOT NULL,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    total_tokens        INTEGER,
    cached_input_tokens INTEGER,
    reasoning_tokens    INTEGER,
    PRIMARY KEY (seq, lease)
) WITHOUT ROWID;

-- How tasks ended.
CREATE TABLE results (
    seq                 INTEGER PRIMARY KEY,
    error               TEXT    NOT NULL,
    http_status         INTEGER,
    provider_request_id TEXT    NOT NULL,
    served_model        TEXT    NOT NULL,
    finish_reason       TEXT    NOT NULL,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    total_tokens        INTEGER,
    cached_input_tokens INTEGER,
    reasoning_tokens    INTEGER,
    -- Whether the payload is text (0) or a raw body (1); no payload: the task did not complete.
    form                INTEGER,
    payload             BLOB
);
