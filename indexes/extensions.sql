-- Names are searched by any part of them; only trigrams let an index answer that.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
