CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    sid TEXT NOT NULL, -- Tessera's session
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    organisation TEXT NOT NULL,
    organisation_name TEXT NOT NULL, -- as at the sign-in
    roles TEXT NOT NULL,
    id_token TEXT NOT NULL,
    expires_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received_at REAL NOT NULL);
CREATE VIEW IF NOT EXISTS visitors AS
SELECT sessions.*, users.name FROM sessions JOIN users ON users.id = sessions.user_id;
