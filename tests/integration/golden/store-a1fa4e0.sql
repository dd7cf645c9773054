BEGIN TRANSACTION;
CREATE TABLE application_versions (
    version_id TEXT NOT NULL PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL);
INSERT INTO "application_versions" VALUES('78751ed9-ddbe-42fb-a16f-7524aec36353','1',1795692636000,1795692636000,'gm_analytics');
CREATE TABLE dbos_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_migrations" VALUES(125);
CREATE TABLE notifications (
    message_uuid TEXT NOT NULL DEFAULT (hex(randomblob(16))) PRIMARY KEY,
    destination_uuid TEXT NOT NULL,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000), "serialization" TEXT DEFAULT NULL, "consumed" BOOLEAN NOT NULL DEFAULT FALSE, consumed_by_function_id INTEGER,
    FOREIGN KEY (destination_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE "operation_outputs" (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);
INSERT INTO "operation_outputs" VALUES('both@east',1,'fetch manifest','"tree"',NULL,NULL,1795692638013,1795692638018,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('both@east',2,'download','"done"',NULL,NULL,1795692638028,1795692638030,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('both@west',1,'fetch manifest','"tree"',NULL,NULL,1795692638014,1795692638017,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('both@west',2,'download','"done"',NULL,NULL,1795692638102,1795692638103,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('published',1,'fetch manifest','"tree"',NULL,NULL,1795692638458,1795692638458,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('published',2,'download','"done"',NULL,NULL,1795692638461,1795692638461,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('superseded',1,'fetch manifest','"tree"',NULL,NULL,1795692638596,1795692638596,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('superseded',2,'download','"done"',NULL,NULL,1795692638626,1795692638627,'gm_analytics_json','gm_analytics',1795692638000);
INSERT INTO "operation_outputs" VALUES('failed',1,'fetch manifest','"tree"',NULL,NULL,1795692644904,1795692644906,'gm_analytics_json','gm_analytics',1795692644000);
INSERT INTO "operation_outputs" VALUES('failed',2,'download',NULL,'{"__error__": {"error": "UnknownPackages", "mirror": "east", "specs": ["nope"], "near": {}, "places": {}}}',NULL,1795692644952,1795692644953,'gm_analytics_json','gm_analytics',1795692644000);
INSERT INTO "operation_outputs" VALUES('running',1,'fetch manifest','"tree"',NULL,NULL,1795692645051,1795692645052,'gm_analytics_json','gm_analytics',1795692645000);
CREATE TABLE queues (
    queue_id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))),
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec REAL,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec REAL NOT NULL DEFAULT 1.0,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL, "partition_concurrency" INTEGER DEFAULT NULL, "partition_worker_concurrency" INTEGER DEFAULT NULL, "partition_rate_limit_max" INTEGER DEFAULT NULL, "partition_rate_limit_period_sec" REAL DEFAULT NULL);
INSERT INTO "queues" VALUES('BDACE743A028BC26CAFAFE54A80DC707','updates',NULL,NULL,NULL,NULL,1,1,0.1,1795692636000,1795692644629,'gm_analytics',1,NULL,NULL,NULL);
INSERT INTO "queues" VALUES('8C9D9802A2372AEB93AB4B26AC25D41D','feedback',NULL,NULL,NULL,NULL,1,1,0.1,1795692636000,1795692644674,'gm_analytics',1,NULL,NULL,NULL);
CREATE TABLE streams (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "offset" INTEGER NOT NULL, function_id INTEGER NOT NULL DEFAULT 0, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key, "offset"),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events_history (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, function_id, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_input (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    inputs TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_input" VALUES('published','{"args": [{"id": "published", "mirror": "east", "repository": "icesi/packages", "number": 1, "head_sha": "0000000000000000000000000000000000000001", "requested_at": 1763632801.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:01Z"}], "kwargs": {}}',1795692636000);
INSERT INTO "workflow_input" VALUES('failed','{"args": [{"id": "failed", "mirror": "east", "repository": "icesi/packages", "number": 2, "head_sha": "0000000000000000000000000000000000000002", "requested_at": 1763632802.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:02Z"}], "kwargs": {}}',1795692636000);
INSERT INTO "workflow_input" VALUES('superseded','{"args": [{"id": "superseded", "mirror": "east", "repository": "icesi/packages", "number": 3, "head_sha": "0000000000000000000000000000000000000003", "requested_at": 1763632803.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:03Z"}], "kwargs": {}}',1795692636000);
INSERT INTO "workflow_input" VALUES('both@east','{"args": [{"id": "both@east", "mirror": "east", "repository": "icesi/packages", "number": 4, "head_sha": "0000000000000000000000000000000000000004", "requested_at": 1763632804.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:04Z"}], "kwargs": {}}',1795692636000);
INSERT INTO "workflow_input" VALUES('both@west','{"args": [{"id": "both@west", "mirror": "west", "repository": "icesi/packages", "number": 4, "head_sha": "0000000000000000000000000000000000000004", "requested_at": 1763632804.0, "kind": "merge", "merge_sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "merged_at": "2026-11-20T10:00:04Z", "updated_at": "2026-11-20T10:00:04Z"}], "kwargs": {}}',1795692636000);
INSERT INTO "workflow_input" VALUES('feedback-bc7633ad-3ab5-4a04-8a5e-26aa64dca063','{"args": [{"id": "published", "mirror": "east", "repository": "icesi/packages", "number": 1, "head_sha": "0000000000000000000000000000000000000001", "requested_at": 1763632801.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:01Z"}, true], "kwargs": {}}',1795692636000);
INSERT INTO "workflow_input" VALUES('feedback-2cc32118-9a0b-4d5f-9fa2-6f3da98268a4','{"args": [{"id": "published", "mirror": "east", "repository": "icesi/packages", "number": 1, "head_sha": "0000000000000000000000000000000000000001", "requested_at": 1763632801.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:01Z"}, true], "kwargs": {}}',1795692644000);
INSERT INTO "workflow_input" VALUES('running','{"args": [{"id": "running", "mirror": "east", "repository": "icesi/packages", "number": 5, "head_sha": "0000000000000000000000000000000000000005", "requested_at": 1763632805.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:05Z"}], "kwargs": {}}',1795692644000);
INSERT INTO "workflow_input" VALUES('waiting','{"args": [{"id": "waiting", "mirror": "east", "repository": "icesi/packages", "number": 6, "head_sha": "0000000000000000000000000000000000000006", "requested_at": 1763632806.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:06Z"}], "kwargs": {}}',1795692644000);
INSERT INTO "workflow_input" VALUES('waiting-too','{"args": [{"id": "waiting-too", "mirror": "east", "repository": "icesi/packages", "number": 5, "head_sha": "0000000000000000000000000000000000000005", "requested_at": 1763632807.0, "kind": "add", "merge_sha": "", "merged_at": "", "updated_at": "2026-11-20T10:00:07Z"}], "kwargs": {}}',1795692644000);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_output" VALUES('feedback-bc7633ad-3ab5-4a04-8a5e-26aa64dca063','null',NULL,1795692638000);
INSERT INTO "workflow_output" VALUES('both@east','{"state": "published", "message": "east: 1 added", "publication": ".publications/000001", "added": ["tree-0:1-1.x86_64"], "size": 12, "warnings": [], "changes": [], "preview": ""}',NULL,1795692638000);
INSERT INTO "workflow_output" VALUES('both@west','{"state": "published", "message": "west: 1 added", "publication": ".publications/000001", "added": ["tree-0:1-1.x86_64"], "size": 12, "warnings": [], "changes": [], "preview": ""}',NULL,1795692638000);
INSERT INTO "workflow_output" VALUES('published','{"state": "published", "message": "east: 1 added", "publication": ".publications/000001", "added": ["tree-0:1-1.x86_64"], "size": 12, "warnings": [], "changes": [], "preview": ""}',NULL,1795692638000);
INSERT INTO "workflow_output" VALUES('superseded','{"state": "superseded", "message": "a newer update is there", "publication": "", "added": [], "size": 0, "warnings": [], "changes": [], "preview": ""}',NULL,1795692638000);
INSERT INTO "workflow_output" VALUES('feedback-2cc32118-9a0b-4d5f-9fa2-6f3da98268a4','null',NULL,1795692644000);
INSERT INTO "workflow_output" VALUES('failed',NULL,'{"__error__": {"error": "UnknownPackages", "mirror": "east", "specs": ["nope"], "near": {}, "places": {}}}',1795692644000);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
CREATE TABLE workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    application_version TEXT,
    application_id TEXT,
    class_name TEXT DEFAULT NULL,
    config_name TEXT DEFAULT NULL,
    recovery_attempts INTEGER DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms INTEGER,
    workflow_deadline_epoch_ms INTEGER,
    inputs TEXT,
    started_at_epoch_ms INTEGER,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0
, queue_partition_key TEXT, forked_from TEXT, "owner_xid" TEXT DEFAULT NULL, "parent_workflow_id" TEXT DEFAULT NULL, "serialization" TEXT DEFAULT NULL, "delay_until_epoch_ms" BIGINT DEFAULT NULL, "was_forked_from" BOOLEAN NOT NULL DEFAULT FALSE, "rate_limited" BOOLEAN NOT NULL DEFAULT FALSE, "completed_at" BIGINT, "attributes" TEXT, "schedule_name" TEXT, "debounce_deadline_epoch_ms" BIGINT DEFAULT NULL, "is_debounced" BOOLEAN NOT NULL DEFAULT FALSE, "application_name" TEXT DEFAULT NULL, "creator_xid" TEXT DEFAULT NULL);
INSERT INTO "workflow_status" VALUES('published','SUCCESS','update','icesi/packages#1',NULL,NULL,NULL,NULL,NULL,'golden-0',1795692636000,1795692638000,'1',NULL,NULL,NULL,1,'updates',NULL,NULL,NULL,1795692638000,NULL,0,'east',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692638000,'null',NULL,NULL,0,'gm_analytics','6d21e8cb-8f37-4121-8a00-7b530644f0ba');
INSERT INTO "workflow_status" VALUES('failed','ERROR','update','icesi/packages#2',NULL,NULL,NULL,NULL,NULL,'golden-0',1795692636000,1795692644000,'1',NULL,NULL,NULL,1,'updates',NULL,NULL,NULL,1795692644000,NULL,0,'east',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692644000,'null',NULL,NULL,0,'gm_analytics','c8700b55-85fa-47e6-aaa5-3287dc11d551');
INSERT INTO "workflow_status" VALUES('superseded','SUCCESS','update','icesi/packages#3',NULL,NULL,NULL,NULL,NULL,'golden-0',1795692636000,1795692638000,'1',NULL,NULL,NULL,1,'updates',NULL,NULL,NULL,1795692638000,NULL,0,'east',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692638000,'null',NULL,NULL,0,'gm_analytics','ff42e70f-0531-4d33-89d9-4686083883de');
INSERT INTO "workflow_status" VALUES('both@east','SUCCESS','update','icesi/packages#4',NULL,NULL,NULL,NULL,NULL,'golden-0',1795692636000,1795692638000,'1',NULL,NULL,NULL,1,'updates',NULL,NULL,NULL,1795692637000,NULL,0,'east',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692638000,'null',NULL,NULL,0,'gm_analytics','3fc94ade-e1dc-4aa0-9b2c-d04e161722d8');
INSERT INTO "workflow_status" VALUES('both@west','SUCCESS','update','icesi/packages#4',NULL,NULL,NULL,NULL,NULL,'golden-0',1795692636000,1795692638000,'1',NULL,NULL,NULL,1,'updates',NULL,NULL,NULL,1795692637000,NULL,0,'west',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692638000,'null',NULL,NULL,0,'gm_analytics','ec8c3388-137a-4dc7-9f56-f17e2bf8488f');
INSERT INTO "workflow_status" VALUES('feedback-bc7633ad-3ab5-4a04-8a5e-26aa64dca063','SUCCESS','feedback',NULL,NULL,NULL,NULL,NULL,NULL,'golden-0',1795692636000,1795692638000,'1',NULL,NULL,NULL,1,'feedback',NULL,NULL,NULL,1795692638000,NULL,0,'icesi/packages#1',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692638000,'null',NULL,NULL,0,'gm_analytics','d7a93c2a-b362-43dd-895e-2b14e121c96a');
INSERT INTO "workflow_status" VALUES('feedback-2cc32118-9a0b-4d5f-9fa2-6f3da98268a4','SUCCESS','feedback',NULL,NULL,NULL,NULL,NULL,NULL,'golden-0',1795692644000,1795692644000,'1',NULL,NULL,NULL,1,'feedback',NULL,NULL,NULL,1795692644000,NULL,0,'icesi/packages#1',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,1795692644000,'null',NULL,NULL,0,'gm_analytics','869a8be4-1500-4fd8-8070-1de2941f6598');
INSERT INTO "workflow_status" VALUES('running','PENDING','update','icesi/packages#5',NULL,NULL,NULL,NULL,NULL,'golden-0',1795692644000,1795692645000,'1',NULL,NULL,NULL,1,'updates',NULL,NULL,NULL,1795692645000,NULL,0,'east',NULL,'db5bd742-6ebd-45f9-8224-465efe419bb1',NULL,'gm_analytics_json',NULL,0,0,NULL,'null',NULL,NULL,0,'gm_analytics','6451ea2b-e9ff-48f5-948e-6a86648086f7');
INSERT INTO "workflow_status" VALUES('waiting','ENQUEUED','update','icesi/packages#6',NULL,NULL,NULL,NULL,NULL,NULL,1795692644000,1795692644000,'1',NULL,NULL,NULL,0,'updates',NULL,NULL,NULL,NULL,NULL,0,'east',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,NULL,'null',NULL,NULL,0,'gm_analytics','f76b8a2c-f0a4-473b-bb9f-408e9def95ca');
INSERT INTO "workflow_status" VALUES('waiting-too','ENQUEUED','update','icesi/packages#5',NULL,NULL,NULL,NULL,NULL,NULL,1795692644000,1795692644000,'1',NULL,NULL,NULL,0,'updates',NULL,NULL,NULL,NULL,NULL,0,'east',NULL,NULL,NULL,'gm_analytics_json',NULL,0,0,NULL,'null',NULL,NULL,0,'gm_analytics','f2f5d693-4e02-4712-81f7-90475e2c48c8');
CREATE INDEX workflow_status_created_at_index ON workflow_status (created_at);
CREATE INDEX idx_workflow_topic ON notifications (destination_uuid, topic);
CREATE INDEX "idx_workflow_status_delayed" ON "workflow_status" ("delay_until_epoch_ms") WHERE status = 'DELAYED';
CREATE INDEX "idx_workflow_status_forked_from" ON "workflow_status" ("forked_from") WHERE "forked_from" IS NOT NULL;
CREATE INDEX "idx_workflow_status_parent_workflow_id" ON "workflow_status" ("parent_workflow_id") WHERE "parent_workflow_id" IS NOT NULL;
CREATE UNIQUE INDEX "uq_workflow_status_dedup_id" ON "workflow_status" ("queue_name", "deduplication_id") WHERE "deduplication_id" IS NOT NULL;
CREATE INDEX "idx_workflow_status_pending" ON "workflow_status" ("created_at") WHERE "status" = 'PENDING';
CREATE INDEX "idx_workflow_status_failed" ON "workflow_status" ("status", "created_at") WHERE "status" IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX "idx_workflow_status_rate_limited" ON "workflow_status" ("queue_name", "started_at_epoch_ms") WHERE "rate_limited" = TRUE;
CREATE INDEX "idx_workflow_status_completed_at" ON "workflow_status" ("completed_at") WHERE "completed_at" IS NOT NULL;
CREATE INDEX "idx_workflow_status_started_at" ON "workflow_status" ("started_at_epoch_ms") WHERE "started_at_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_workflow_status_schedule_name" ON "workflow_status" ("schedule_name") WHERE "schedule_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_owner_version"
    ON application_versions ("application_name", "version_name")
    WHERE "application_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_unclaimed_version"
    ON application_versions ("version_name")
    WHERE "application_name" IS NULL;
CREATE INDEX idx_workflow_input_retention
    ON workflow_input (retention_timestamp);
CREATE INDEX idx_workflow_output_retention
    ON workflow_output (retention_timestamp);
CREATE INDEX idx_operation_outputs_retention
    ON operation_outputs (retention_timestamp);
CREATE INDEX "idx_workflow_status_in_flight_v2" ON "workflow_status" ("queue_name", "status", "priority", "created_at", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING');
CREATE INDEX "idx_workflow_status_partition_dequeue_v3" ON "workflow_status" ("queue_name", "status", "queue_partition_key", "priority", "created_at", "workflow_uuid", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING') AND "queue_partition_key" IS NOT NULL;
CREATE INDEX "idx_operation_outputs_completed_at_function_name_v2" ON "operation_outputs" ("completed_at_epoch_ms", "function_name", "application_name");
CREATE INDEX "idx_workflow_status_deadline" ON "workflow_status" ("workflow_deadline_epoch_ms") WHERE "status" IN ('ENQUEUED', 'PENDING', 'DELAYED') AND "workflow_deadline_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_application_versions_timestamp" ON "application_versions" ("version_timestamp" DESC);
CREATE INDEX "idx_application_versions_owner_timestamp" ON "application_versions" ("application_name", "version_timestamp" DESC);
COMMIT;
