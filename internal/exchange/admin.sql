-- What was last written down of the settings in the node's directory. One row.
CREATE TABLE settings_in_use (
    one BIGINT PRIMARY KEY,
    doc TEXT NOT NULL
);
