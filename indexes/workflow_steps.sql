-- A workflow's steps in order.
CREATE INDEX CONCURRENTLY IF NOT EXISTS workflow_steps_workflow_id_idx ON workflow_steps (workflow_id, position);
