-- {dimensions} is a whole number from the settings: DDL takes no parameters.
CREATE TABLE embeddings (
    content_hash VARCHAR PRIMARY KEY,
    vector FLOAT[{dimensions}] NOT NULL
);
