// User of the user service, created on a new volume, with read and write access to its own database only.
db.getSiblingDB('users').createUser({
  user: 'users',
  pwd: process.env.USER_DB_PASSWORD,
  roles: [{ role: 'readWrite', db: 'users' }],
});

// Monitoring user, with access to server metrics and to no documents.
db.getSiblingDB('admin').createUser({
  user: 'monitor',
  pwd: process.env.MONITOR_DB_PASSWORD,
  roles: [{ role: 'clusterMonitor', db: 'admin' }],
});
