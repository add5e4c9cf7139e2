-- The minified database, fdnix.duckdb, out of a full database attached as `source`.
CREATE TABLE packages (
    package_id VARCHAR PRIMARY KEY,
    attribute_set VARCHAR,
    pname VARCHAR NOT NULL,
    version VARCHAR,
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
    content_hash VARCHAR NOT NULL
);

-- The systems that Hydra, nixpkgs' build farm, builds for. A package that names no platforms runs
-- on all of them as far as nixpkgs says.
INSERT INTO packages
WITH hydra AS (
    SELECT ['x86_64-linux', 'aarch64-linux', 'x86_64-darwin', 'aarch64-darwin'] AS systems
)
SELECT
    package_id,
    attribute_set,
    pname,
    version,
    description,
    homepages[1],
    license,
    nullif(array_to_string(list_concat(
        list_transform(maintainers, lambda m: CASE
            WHEN m.github IS NULL THEN m.name
            WHEN m.name IS NULL OR m.name = m.github THEN '@' || m.github
            ELSE m.name || ' (@' || m.github || ')' END),
        list_transform(teams, lambda t: t || ' team')
    ), ', '), ''),
    main_program,
    list_filter(
        systems,
        lambda s: (platforms IS NULL OR list_contains(platforms, s))
            AND NOT coalesce(list_contains(bad_platforms, s), false)
    ),
    coalesce(available, true),
    coalesce(broken, false),
    coalesce(insecure, false),
    coalesce(unfree, false),
    coalesce(unsupported, false),
    content_hash
FROM source.packages, hydra
ORDER BY package_id;

CREATE TABLE packages_fts_source AS
SELECT * FROM source.packages_fts_source ORDER BY package_id;

CREATE TABLE fdnix_meta (
    "key" VARCHAR PRIMARY KEY,
    "value" VARCHAR NOT NULL
);

INSERT INTO fdnix_meta SELECT * FROM source.fdnix_meta;
