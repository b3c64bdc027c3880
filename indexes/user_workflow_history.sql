-- A workflow's latest runs, newest first without sorting; and the cascade when a workflow is deleted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_workflow_id_idx
    ON user_workflow_history (workflow_id, started_at DESC, id DESC);

-- The platform's list of runs in a rare state, such as failed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_status_idx ON user_workflow_history (status, id);

-- Whether a user has run a workflow, and a company's runs of one workflow, counted from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_user_id_workflow_id_status_idx
    ON user_workflow_history (user_id, workflow_id, status);

-- A user's latest runs, newest first without sorting; and the cascade when a user is deleted. Built
-- after the one above: where two indexes cost the same, PostgreSQL takes the newer.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_user_id_idx
    ON user_workflow_history (user_id, started_at DESC, id DESC);
