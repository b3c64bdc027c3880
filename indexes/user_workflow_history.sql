-- A workflow's latest runs, newest first without sorting; and the cascade when a workflow is deleted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_workflow_id_idx
    ON user_workflow_history (workflow_id, started_at DESC, id DESC);

-- The platform's list of runs in a rare state, such as failed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_status_idx ON user_workflow_history (status, id);

-- Whether a user has run a workflow, and how often, from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_user_id_workflow_id_status_idx
    ON user_workflow_history (user_id, workflow_id, status);

-- A user's latest runs, newest first without sorting; and the cascade when a user is deleted. Built
-- after the one above: where two indexes cost the same, PostgreSQL takes the newer.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_user_id_idx
    ON user_workflow_history (user_id, started_at DESC, id DESC);

-- A company's runs, page by page with a number or a cursor, and their number from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_company_id_idx ON user_workflow_history (company_id, id);

-- A company's runs of one workflow by state: each line of a dashboard counts them from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS user_workflow_history_company_id_workflow_id_status_idx
    ON user_workflow_history (company_id, workflow_id, status);
