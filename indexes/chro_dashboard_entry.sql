-- One workflow's scores in all companies; and the cascade when a workflow is deleted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chro_dashboard_entry_workflow_id_idx
    ON chro_dashboard_entry (workflow_id, company_id);

-- One company's dashboard.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chro_dashboard_entry_company_id_idx
    ON chro_dashboard_entry (company_id, workflow_id);
