// A user for the user service, made when the volume is new. It may read and write its own database and no other.
db.getSiblingDB('users').createUser({
  user: 'users',
  pwd: process.env.USER_DB_PASSWORD,
  roles: [{ role: 'readWrite', db: 'users' }],
});

// Who looks at the server's figures, and reads no document.
db.getSiblingDB('admin').createUser({
  user: 'monitor',
  pwd: process.env.MONITOR_DB_PASSWORD,
  roles: [{ role: 'clusterMonitor', db: 'admin' }],
});
