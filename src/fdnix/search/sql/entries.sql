-- Entries: what a searcher thinks of as one package. Variants (other versions of it, the same
-- package of another interpreter, its unwrapped form) are rows of one entry.
-- Reads an attached full database, `source`; makes the temporary tables variant_source (a row a
-- package), entry_source (a row an entry) and embedding_source (a row a vector).

-- A text that sorts as versions do in Nix (builtins.compareVersions; compareVersions in
-- src/libstore/names.cc): components are runs of digits or of other characters between dots and dashes;
-- 'pre' comes before the end, the end before letters, letters before numbers.
CREATE OR REPLACE TEMP MACRO fdnix_version_key(version) AS
    concat(
        array_to_string(
            list_transform(
                regexp_extract_all(version, '[0-9]+|[^0-9.\-]+'),
                lambda c: CASE
                    WHEN regexp_full_match(c, '[0-9]+')
                    THEN concat('3', lpad(length(ltrim(c, '0'))::VARCHAR, 4, '0'), ltrim(c, '0'))
                    WHEN c = 'pre' THEN '0'
                    ELSE concat('2', c, ' ') END),
            ''),
        '1');

-- Versions that are no releases: 3.15.0b3, 1.0-rc1, 0-unstable-2026-01-01.
CREATE OR REPLACE TEMP MACRO fdnix_prerelease(version) AS
    regexp_matches(version, '(?i)alpha|beta|unstable|(?:^|[0-9._-])(?:a|b|rc|pre)[0-9]*(?:$|[^a-z])');

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
        programs,
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
),
named AS (
    SELECT
        *,
        -- Of python3 and python313, which are one version, python3 is what nixpkgs calls python.
        attribute_set IS NULL
            AND count(*) OVER same_version > 1
            AND length(attribute_name) = min(length(attribute_name)) OVER same_version
            AS stands_for_another
    FROM grouped
    WINDOW same_version AS (PARTITION BY entry_id, attribute_set, version)
)
SELECT
    * EXCLUDE (set_size, stands_for_another),
    row_number() OVER (
        PARTITION BY entry_id
        ORDER BY
            broken OR insecure,
            attribute_name LIKE '%-unwrapped',
            attribute_set IS NOT NULL,
            attribute_name <> base_name,
            NOT stands_for_another,
            regexp_matches(coalesce(attribute_set, ''), '\d'),
            set_size DESC,
            fdnix_prerelease(version),
            fdnix_version_key(version) DESC NULLS LAST,
            package_id
    ) - 1 AS variant
FROM named;

CREATE OR REPLACE TEMP TABLE entry_source AS
SELECT
    entry_id::INTEGER AS entry_id,
    arg_min(package_id, variant) AS package_id,
    arg_min(base_name, variant) AS base_name,
    arg_min(pname, variant) AS pname,
    list(DISTINCT set_family) FILTER (set_family IS NOT NULL) AS families,
    list(DISTINCT attribute_name) AS attribute_names,
    list_distinct(flatten(list(programs) FILTER (programs IS NOT NULL))) AS programs,
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
-- in the order of their packages (see staged_vectors.sql), those of entries first: a search reads these,
-- row groups whole.
CREATE OR REPLACE TEMP TABLE embedding_source AS
SELECT (row_number() OVER (ORDER BY entry_id IS NULL, package_id, entry_id) - 1)::INTEGER AS embedding_id, *
FROM (
    SELECT entry_id, content_hash, package_id FROM entry_source
    UNION ALL
    SELECT NULL, content_hash, min(package_id)
    FROM variant_source ANTI JOIN entry_source USING (content_hash)
    GROUP BY content_hash
)
SEMI JOIN source.embeddings USING (content_hash);
