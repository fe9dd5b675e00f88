-- E-mail address and name in lower case, by which admins search. SQLite changes the case of ASCII letters only, so the service
-- writes it; a row without it was last written by the version before.
ALTER TABLE users ADD COLUMN search TEXT;
