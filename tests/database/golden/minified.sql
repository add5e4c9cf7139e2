CREATE TABLE embeddings(embedding_id INTEGER NOT NULL,
    entry_id INTEGER,
    "prior" FLOAT,
    name_prior FLOAT,
    scale FLOAT NOT NULL,
    head FLOAT[64] NOT NULL,
    code TINYINT[256] NOT NULL,
    vector FLOAT[256] GENERATED ALWAYS AS(CAST(code AS FLOAT[256])));
CREATE TABLE fdnix_meta("key" VARCHAR PRIMARY KEY,
    "value" VARCHAR NOT NULL);
CREATE TABLE packages(package_id VARCHAR,
    attribute_set VARCHAR,
    pname VARCHAR,
    "version" VARCHAR,
    description VARCHAR,
    homepage VARCHAR,
    license VARCHAR,
    maintainers VARCHAR,
    main_program VARCHAR,
    platforms VARCHAR[],
    available BOOLEAN,
    broken BOOLEAN,
    insecure BOOLEAN,
    unfree BOOLEAN,
    unsupported BOOLEAN,
    "position" VARCHAR,
    long_description VARCHAR,
    entry_id INTEGER,
    variant SMALLINT,
    embedding_id INTEGER);
CREATE TABLE search_entries(entry_id INTEGER,
    embedding_id INTEGER,
    "prior" FLOAT,
    name_prior FLOAT);
CREATE TABLE search_full_names(hash UBIGINT,
    entry_id INTEGER);
CREATE TABLE search_model(token VARCHAR,
    weight FLOAT,
    vector TINYINT[256]);
CREATE TABLE search_names("start" VARCHAR,
    "name" VARCHAR,
    entry_id INTEGER,
    kind UTINYINT,
    letters BIGINT);
CREATE TABLE search_postings(term_id INTEGER,
    entry_ids INTEGER[],
    weights UTINYINT[]);
CREATE TABLE search_vocabulary(hash UINTEGER,
    word VARCHAR,
    term_id INTEGER,
    idf FLOAT,
    entries INTEGER,
    letters BIGINT,
    related STRUCT(term_id INTEGER,
    similarity UTINYINT)[]);
CREATE INDEX embeddings_vss_idx ON embeddings USING HNSW (head);
CREATE INDEX packages_entry_idx ON packages(entry_id);
CREATE INDEX search_postings_term_idx ON search_postings(term_id);
