-- The full database, fdnix-data.duckdb. The table `embeddings` is made by embeddings.sql.
CREATE TABLE packages (
    package_id VARCHAR PRIMARY KEY,
    attribute_set VARCHAR,
    attribute_name VARCHAR NOT NULL,
    set_family VARCHAR,
    base_name VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    pname VARCHAR NOT NULL,
    version VARCHAR,
    description VARCHAR,
    long_description VARCHAR,
    kinds VARCHAR[],
    homepages VARCHAR[],
    changelog VARCHAR,
    download_page VARCHAR,
    main_program VARCHAR,
    programs VARCHAR[],
    programs_source VARCHAR,
    usage_texts VARCHAR[],
    license VARCHAR,
    licenses STRUCT(
        short_name VARCHAR,
        full_name VARCHAR,
        spdx_id VARCHAR,
        url VARCHAR,
        "free" BOOLEAN,
        redistributable BOOLEAN,
        deprecated BOOLEAN
    )[],
    maintainers STRUCT(
        "name" VARCHAR,
        email VARCHAR,
        github VARCHAR,
        github_id BIGINT,
        matrix VARCHAR
    )[],
    teams VARCHAR[],
    platforms VARCHAR[],
    bad_platforms VARCHAR[],
    available BOOLEAN,
    broken BOOLEAN,
    insecure BOOLEAN,
    unfree BOOLEAN,
    unsupported BOOLEAN,
    known_vulnerabilities VARCHAR[],
    outputs VARCHAR[],
    outputs_to_install VARCHAR[],
    source_provenance VARCHAR[],
    cpe VARCHAR,
    "position" VARCHAR,
    "system" VARCHAR,
    meta_extra JSON,
    content_hash VARCHAR NOT NULL,
    indexed_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE packages_fts_source (
    package_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    program VARCHAR,
    description VARCHAR,
    long_description VARCHAR
);

-- What a nixpkgs tree says.
CREATE TABLE usage (
    package_id VARCHAR PRIMARY KEY,
    modules INTEGER NOT NULL,
    module_options INTEGER NOT NULL,
    own_modules INTEGER NOT NULL,
    configured INTEGER NOT NULL,
    tests INTEGER NOT NULL,
    own_tests INTEGER NOT NULL,
    release_notes INTEGER NOT NULL,
    manual INTEGER NOT NULL,
    doc INTEGER NOT NULL,
    arguments INTEGER NOT NULL
);

CREATE TABLE aliases (
    "name" VARCHAR PRIMARY KEY,
    target VARCHAR,
    message VARCHAR,
    successors VARCHAR[] NOT NULL
);

CREATE TABLE embedding_failures (
    content_hash VARCHAR PRIMARY KEY,
    reason VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    last_attempt_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE rejected_packages (
    package_id VARCHAR NOT NULL,
    reason VARCHAR NOT NULL
);

CREATE TABLE fdnix_meta (
    "key" VARCHAR PRIMARY KEY,
    "value" VARCHAR NOT NULL
);
