-- Entries: what a searcher thinks of as one package. Variants (other versions of it, the same
-- package of another interpreter, its unwrapped form) are rows of one entry.
-- Reads an attached full database, `source`; makes the temporary tables variant_source (a row a
-- package), entry_source (a row an entry) and embedding_source (a row a vector).
CREATE OR REPLACE TEMP TABLE variant_source AS
WITH described AS (
    SELECT
        package_id,
        attribute_set,
        attribute_name,
        set_family,
        base_name,
        pname,
        version,
        description,
        homepages[1] AS homepage,
        main_program,
        content_hash,
        coalesce(broken, false) AS broken,
        coalesce(insecure, false) AS insecure,
        coalesce(unfree, false) AS unfree,
        regexp_replace(regexp_replace(lower(pname), '[0-9._]+', '', 'g'), '-(unwrapped|wrapper)$', '') AS plain_pname
    FROM source.packages
),
grouped AS (
    SELECT
        *,
        dense_rank() OVER (
            ORDER BY
                lower(base_name),
                plain_pname,
                -- One product has one home page; where none is given, one text in one family of sets.
                coalesce(
                    regexp_replace(lower(homepage), '^https?://(www\.)?|/$', '', 'g'),
                    concat(set_family, ' ', regexp_replace(description, '[0-9.]+', '', 'g')))
        ) - 1 AS entry_id,
        count(*) OVER (PARTITION BY attribute_set) AS set_size
    FROM described
)
SELECT
    * EXCLUDE (set_size),
    row_number() OVER (
        PARTITION BY entry_id
        ORDER BY
            broken OR insecure,
            attribute_name LIKE '%-unwrapped',
            attribute_set IS NOT NULL,
            attribute_name <> base_name,
            regexp_matches(coalesce(attribute_set, ''), '\d'),
            set_size DESC,
            regexp_matches(version, '(?i)alpha|beta|rc|unstable|pre'),
            try_cast(regexp_extract(version, '^\d+') AS BIGINT) DESC NULLS LAST,
            package_id
    ) - 1 AS variant
FROM grouped;

CREATE OR REPLACE TEMP TABLE entry_source AS
SELECT
    entry_id::INTEGER AS entry_id,
    arg_min(package_id, variant) AS package_id,
    arg_min(base_name, variant) AS base_name,
    arg_min(pname, variant) AS pname,
    list(DISTINCT set_family) FILTER (set_family IS NOT NULL) AS families,
    list(DISTINCT attribute_name) AS attribute_names,
    list(DISTINCT main_program) FILTER (main_program IS NOT NULL) AS programs,
    arg_min(description, variant) AS description,
    arg_min(homepage, variant) AS homepage,
    arg_min(content_hash, variant) AS content_hash,
    bool_and(attribute_set IS NOT NULL) AS in_set,
    bool_and(broken) AS broken,
    bool_and(insecure) AS insecure,
    bool_and(unfree) AS unfree,
    count(*) AS variants,
    -- A set that is there for every interpreter carries all its packages that often.
    count(DISTINCT concat(set_family, '.', attribute_name)) AS names
FROM variant_source
GROUP BY entry_id;

-- The vectors: one for each entry whose text has one, and one for each other text that has. They are
-- in the order of their packages: see staged_vectors.sql.
CREATE OR REPLACE TEMP TABLE embedding_source AS
SELECT (row_number() OVER (ORDER BY package_id, entry_id) - 1)::INTEGER AS embedding_id, *
FROM (
    SELECT entry_id, content_hash, package_id FROM entry_source
    UNION ALL
    SELECT NULL, content_hash, min(package_id)
    FROM variant_source ANTI JOIN entry_source USING (content_hash)
    GROUP BY content_hash
)
SEMI JOIN source.embeddings USING (content_hash);
