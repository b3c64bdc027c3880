-- A user's own projects, newest first without sorting; and the cascade when a user is deleted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS projects_user_id_created_at_idx
    ON projects (user_id, created_at DESC, id DESC);

-- The platform's list of projects in a rare state, such as blocked.
CREATE INDEX CONCURRENTLY IF NOT EXISTS projects_status_idx ON projects (status, id);
