-- The version before selects all columns of orders and their timelines. It opens new sessions as soon as migration 4 ended
-- its earlier ones, and may prepare such statements before the columns of the migrations since exist. Where the upgrade from
-- that version runs at this moment, those sessions are ended as well. Sessions of instances like this one wait for it.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND wait_event IS DISTINCT FROM 'advisory'
    AND EXISTS (
        SELECT FROM _sqlx_migrations first JOIN _sqlx_migrations second ON second.version = 2
        WHERE first.version = 1 AND first.installed_on < second.installed_on - interval '1 minute'
            AND second.installed_on > now() - interval '1 minute'
    );
