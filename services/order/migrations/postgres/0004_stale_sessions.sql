-- The version before selects all columns of orders and their payments. A session that prepared such a statement before the
-- columns of the migrations above existed fails with "cached plan must not change result type" until it ends. Sessions
-- that are older than these migrations are ended, once, and their instances open new ones. The sessions of the instance
-- that migrates are younger than ten seconds; those of others like it wait for it. On a new database there are none.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND wait_event IS DISTINCT FROM 'advisory'
    AND backend_start < (SELECT installed_on - interval '10 seconds' FROM _sqlx_migrations WHERE version = 2)
    AND EXISTS (
        SELECT FROM _sqlx_migrations first JOIN _sqlx_migrations second ON second.version = 2
        WHERE first.version = 1 AND first.installed_on < second.installed_on - interval '1 minute'
    );
