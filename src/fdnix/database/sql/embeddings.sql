-- {dimensions} and {head} are whole numbers of ours: DDL takes no parameters. The HNSW index is over
-- the head, the vector's first dimensions: what it finds is compared whole (nearest.sql).
CREATE TABLE embeddings (
    content_hash VARCHAR PRIMARY KEY,
    vector FLOAT[{dimensions}] NOT NULL,
    head FLOAT[{head}] NOT NULL
);
