CREATE TABLE embeddings(content_hash VARCHAR PRIMARY KEY,
    vector FLOAT[256] NOT NULL);
CREATE TABLE fdnix_meta("key" VARCHAR PRIMARY KEY,
    "value" VARCHAR NOT NULL);
CREATE TABLE packages(package_id VARCHAR PRIMARY KEY,
    attribute_set VARCHAR,
    pname VARCHAR NOT NULL,
    "version" VARCHAR,
    description VARCHAR,
    homepage VARCHAR,
    license VARCHAR,
    maintainers VARCHAR,
    main_program VARCHAR,
    platforms VARCHAR[] NOT NULL,
    available BOOLEAN NOT NULL,
    broken BOOLEAN NOT NULL,
    insecure BOOLEAN NOT NULL,
    unfree BOOLEAN NOT NULL,
    unsupported BOOLEAN NOT NULL,
    content_hash VARCHAR NOT NULL);
CREATE TABLE packages_fts_source(package_id VARCHAR,
    "name" VARCHAR,
    "program" VARCHAR,
    description VARCHAR,
    long_description VARCHAR);
CREATE INDEX embeddings_vss_idx ON embeddings USING HNSW (vector);
