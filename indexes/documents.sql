-- Every list is of one tenant and ordered by id unless asked otherwise.
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_tenant_id_idx ON documents (tenant_id, id);

-- The platform's list of documents in a rare state, such as quarantined.
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_status_idx ON documents (status, id);

-- The platform's list of the newest documents, page by page with a cursor (created_at, id).
CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_created_at_idx ON documents (created_at DESC, id DESC);
