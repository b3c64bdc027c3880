-- Every list is of one company and ordered by id unless asked otherwise: the rows come out in order.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_company_id_idx ON users (company_id, id);

-- Autocomplete by the start of an address, active users only. The pattern operators serve LIKE 'x%' in any locale.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_is_active_idx ON users (email text_pattern_ops, is_active);

-- The platform's list of the newest users, page by page with a cursor (created_at, id).
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_created_at_idx ON users (created_at DESC, id DESC);

-- Search by any part of a name across companies.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_name_trgm_idx ON users USING gin (name gin_trgm_ops);
