-- A company's teams.
CREATE INDEX CONCURRENTLY IF NOT EXISTS teams_company_id_idx ON teams (company_id, id);

-- A user's teams (the primary key begins with the team); and the cascade when a user is deleted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS team_members_user_id_idx ON team_members (user_id);
