-- Entries: what a searcher thinks of as one package. Variants (other versions of it, the same
-- package of another interpreter, its unwrapped form) are rows of one entry.

-- An attribute set without its version: python313Packages -> pythonPackages,
-- linuxKernel.packages.linux_6_6 -> linuxKernel.packages.linux, rubyPackages_3_3 -> rubyPackages.
CREATE OR REPLACE TEMP MACRO family_of(s) AS
    regexp_replace(
        regexp_replace(regexp_replace(s, '(linux)_[a-z0-9_]+$', '\1'), 'luajit', 'lua'),
        '(?:[_-]?\d+)+x?', '', 'g');

-- An attribute name without '-unwrapped' and without a trailing version, where a version is digits
-- the package's own version starts with: postgresql_17 at 17.10 -> postgresql, but yquake2 at 8.51 stays.
CREATE OR REPLACE TEMP MACRO base_of(leaf, version) AS
    CASE
        WHEN regexp_matches(leaf, '.[A-Za-z][-_.]?v?\d[\d_.]*$')
            AND starts_with(
                regexp_replace(version, '\D', '', 'g'),
                regexp_replace(regexp_extract(leaf, '[\d_.]+$'), '\D', '', 'g'))
        THEN regexp_replace(leaf, '[-_.]?v?\d[\d_.]*$', '')
        ELSE leaf
    END;

CREATE OR REPLACE TEMP TABLE search_variant_source AS
WITH named AS (
    SELECT
        p.*,
        p.rowid AS package_row,
        CASE WHEN attribute_set IS NULL THEN package_id
             ELSE substr(package_id, length(attribute_set) + 2) END AS leaf,
        family_of(attribute_set) AS set_family
    FROM packages AS p
),
based AS (
    SELECT
        *,
        coalesce(nullif(base_of(regexp_replace(leaf, '-unwrapped$', ''), coalesce(version, '')), ''), leaf) AS base,
        regexp_replace(regexp_replace(lower(pname), '[0-9._]+', '', 'g'), '-(unwrapped|wrapper)$', '') AS plain_pname,
        -- One product has one home page; where none is given, one text in one family of sets.
        coalesce(
            regexp_replace(lower(homepage), '^https?://(www\.)?|/$', '', 'g'),
            concat(set_family, ' ', regexp_replace(description, '[0-9.]+', '', 'g'))) AS home
    FROM named
),
grouped AS (
    SELECT
        *,
        dense_rank() OVER (ORDER BY lower(base), plain_pname, home) - 1 AS entry_id,
        count(*) OVER (PARTITION BY attribute_set) AS set_size
    FROM based
)
SELECT
    *,
    row_number() OVER (
        PARTITION BY entry_id
        ORDER BY
            broken OR insecure,
            leaf LIKE '%-unwrapped',
            attribute_set IS NOT NULL,
            leaf <> base,
            regexp_matches(coalesce(attribute_set, ''), '\d'),
            set_size DESC,
            regexp_matches(version, '(?i)alpha|beta|rc|unstable|pre'),
            try_cast(regexp_extract(version, '^\d+') AS BIGINT) DESC NULLS LAST,
            package_id
    ) - 1 AS variant
FROM grouped;

CREATE OR REPLACE TEMP TABLE search_entry_source AS
SELECT
    entry_id::INTEGER AS entry_id,
    arg_min(package_id, variant) AS package_id,
    arg_min(base, variant) AS base,
    arg_min(pname, variant) AS pname,
    arg_min(set_family, variant) FILTER (set_family IS NOT NULL) AS set_family,
    list(DISTINCT set_family) FILTER (set_family IS NOT NULL) AS families,
    list(DISTINCT leaf) AS leaves,
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
    count(DISTINCT concat(set_family, '.', leaf)) AS names
FROM search_variant_source
GROUP BY entry_id;

-- package_row is the package's rowid: filters join on it, for a tenth of what joining on paths takes.
CREATE OR REPLACE TABLE search_variants AS
SELECT
    entry_id::INTEGER AS entry_id,
    variant::SMALLINT AS variant,
    package_row::INTEGER AS package_row,
    package_id,
    attribute_set,
    version
FROM search_variant_source
ORDER BY entry_id, variant;
