-- Those to be removed once their events are published.
CREATE INDEX users_deleted ON users (id) WHERE email IS NULL;
