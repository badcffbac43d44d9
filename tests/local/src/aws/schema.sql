CREATE TABLE IF NOT EXISTS setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS session (
    access_key_id     TEXT PRIMARY KEY,
    secret_access_key TEXT NOT NULL,
    session_token     TEXT NOT NULL,
    role_arn          TEXT NOT NULL,
    session_name      TEXT NOT NULL,
    policy            TEXT,
    expires_at_ms     INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS secret (
    arn            TEXT PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    description    TEXT,
    is_declared    INTEGER NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    deletion_at_ms INTEGER
) STRICT;

CREATE TABLE IF NOT EXISTS secret_version (
    secret_arn    TEXT NOT NULL,
    version_id    TEXT NOT NULL,
    secret_string TEXT,
    secret_binary TEXT,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (secret_arn, version_id)
) STRICT;

CREATE TABLE IF NOT EXISTS secret_stage (
    secret_arn TEXT NOT NULL,
    stage      TEXT NOT NULL,
    version_id TEXT NOT NULL,
    PRIMARY KEY (secret_arn, stage)
) STRICT;

CREATE TABLE IF NOT EXISTS message (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_arn            TEXT NOT NULL,
    message_id           TEXT NOT NULL,
    body                 TEXT NOT NULL,
    sender_id            TEXT NOT NULL,
    sent_at_ms           INTEGER NOT NULL,
    visible_at_ms        INTEGER NOT NULL,
    receive_count        INTEGER NOT NULL DEFAULT 0,
    first_received_at_ms INTEGER,
    receipt_handle       TEXT,
    source_queue_arn     TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS message_by_queue ON message (queue_arn, visible_at_ms, id);

CREATE TABLE IF NOT EXISTS bucket (
    name          TEXT PRIMARY KEY,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS object (
    sequencer        INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket           TEXT NOT NULL,
    key              TEXT NOT NULL,
    version_id       TEXT NOT NULL,
    is_latest        INTEGER NOT NULL,
    is_delete_marker INTEGER NOT NULL,
    segments         TEXT NOT NULL,
    parts            TEXT NOT NULL,
    size_bytes       INTEGER NOT NULL,
    e_tag            TEXT NOT NULL,
    checksums        TEXT NOT NULL,
    headers          TEXT NOT NULL,
    upload_id        TEXT,
    last_modified_ms INTEGER NOT NULL,
    UNIQUE (bucket, key, version_id)
) STRICT;
CREATE INDEX IF NOT EXISTS object_latest ON object (bucket, key) WHERE is_latest;

CREATE TABLE IF NOT EXISTS upload (
    upload_id       TEXT PRIMARY KEY,
    bucket          TEXT NOT NULL,
    key             TEXT NOT NULL,
    initiator       TEXT NOT NULL,
    initiated_at_ms INTEGER NOT NULL,
    headers         TEXT NOT NULL,
    checksum        TEXT NOT NULL,
    is_key_deleted  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS upload_by_key ON upload (bucket, key, upload_id);

CREATE TABLE IF NOT EXISTS part (
    upload_id        TEXT NOT NULL,
    part_number      INTEGER NOT NULL,
    segments         TEXT NOT NULL,
    size_bytes       INTEGER NOT NULL,
    e_tag            TEXT NOT NULL,
    checksums        TEXT NOT NULL,
    last_modified_ms INTEGER NOT NULL,
    PRIMARY KEY (upload_id, part_number)
) STRICT;

CREATE TABLE IF NOT EXISTS public_key (
    id               TEXT PRIMARY KEY,
    e_tag            TEXT NOT NULL,
    caller_reference TEXT NOT NULL UNIQUE,
    name             TEXT NOT NULL UNIQUE,
    encoded_key      TEXT NOT NULL,
    comment          TEXT NOT NULL,
    created_at_ms    INTEGER NOT NULL
) STRICT;
