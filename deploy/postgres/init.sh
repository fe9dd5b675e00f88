#!/bin/sh
# Creates one database and one role per service on a new volume. A role may connect to its own database only, not to the
# databases that PostgreSQL creates by default.
set -eu

make() {
    psql --no-psqlrc -v ON_ERROR_STOP=1 -v name="$1" -v password="$2" \
        --username "$POSTGRES_USER" --dbname postgres <<'END'
CREATE ROLE :"name" LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
END
}

make products "$PRODUCT_DB_PASSWORD"
make orders "$ORDER_DB_PASSWORD"
make payments "$PAYMENT_DB_PASSWORD"

psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'END'
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
END

# Monitoring role, with access to server metrics and to no tables.
psql --no-psqlrc -v ON_ERROR_STOP=1 -v password="$MONITOR_DB_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'END'
CREATE ROLE monitor LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE IN ROLE pg_monitor;
GRANT CONNECT ON DATABASE postgres TO monitor;
END
