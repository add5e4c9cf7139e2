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
CREATE TABLE search_entries(entry_id INTEGER,
    vector_row BIGINT,
    "prior" FLOAT,
    name_prior FLOAT);
CREATE TABLE search_names(hash UINTEGER,
    "name" VARCHAR,
    entry_id INTEGER,
    kind UTINYINT,
    length UTINYINT,
    letters HUGEINT);
CREATE TABLE search_postings(term_id INTEGER,
    entry_id INTEGER,
    weight UTINYINT);
CREATE TABLE search_similar(term_id INTEGER NOT NULL,
    similar_id INTEGER NOT NULL,
    similarity UTINYINT NOT NULL);
CREATE TABLE search_variants(entry_id INTEGER,
    variant SMALLINT,
    package_row INTEGER,
    package_id VARCHAR,
    attribute_set VARCHAR,
    "version" VARCHAR);
CREATE TABLE search_words(hash UINTEGER,
    word VARCHAR,
    term_id INTEGER,
    idf FLOAT,
    entries INTEGER,
    length UTINYINT,
    letters HUGEINT);
CREATE INDEX embeddings_vss_idx ON embeddings USING HNSW (vector);
