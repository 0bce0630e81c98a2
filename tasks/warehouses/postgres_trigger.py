"""The SQL by which PostgreSQL notifies when its schema changes, for the one who runs the database.

Nothing here is run by prefect-synth, whose role can only read.
"""

from __future__ import annotations

CHANNEL = "prefect_synth"
"""Name of the channel; every database has channels of its own."""

INSTALL = f"""\
-- Lets PostgreSQL say at once that its schema changed. Run it in the warehouse's database as a
-- superuser (on Amazon RDS a member of rds_superuser, on Cloud SQL of cloudsqlsuperuser).
-- The role of prefect-synth needs nothing for it: whoever may connect may LISTEN.
BEGIN;
CREATE SCHEMA IF NOT EXISTS prefect_synth;
CREATE OR REPLACE FUNCTION prefect_synth.schema_changed() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    -- temporary tables are nobody's business; of what is dropped nothing is listed here
    IF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands())
       OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands()
                  WHERE schema_name IS DISTINCT FROM 'pg_temp') THEN
        PERFORM pg_notify('{CHANNEL}', '');  -- without a word: everybody may listen
    END IF;
END $$;
DROP EVENT TRIGGER IF EXISTS prefect_synth_schema_changed;
CREATE EVENT TRIGGER prefect_synth_schema_changed ON ddl_command_end
    WHEN TAG IN (
        'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'DROP TABLE',
        'CREATE VIEW', 'ALTER VIEW', 'DROP VIEW',
        'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW', 'DROP MATERIALIZED VIEW',
        'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'DROP FOREIGN TABLE',
        'CREATE INDEX', 'DROP INDEX', 'CREATE TYPE', 'ALTER TYPE', 'DROP TYPE',
        'ALTER DOMAIN', 'ALTER SCHEMA', 'DROP SCHEMA', 'COMMENT', 'GRANT', 'REVOKE')
    EXECUTE FUNCTION prefect_synth.schema_changed();
COMMIT;
"""

REMOVE = """\
-- Takes all of it away again.
BEGIN;
DROP EVENT TRIGGER IF EXISTS prefect_synth_schema_changed;
DROP FUNCTION IF EXISTS prefect_synth.schema_changed();
DROP SCHEMA IF EXISTS prefect_synth;
COMMIT;
"""
