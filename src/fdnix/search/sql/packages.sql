-- The tables of the minified database that are there for their own sake, out of a full database
-- attached as `source` and the temporary tables of entries.sql and popularity.sql.

-- A package that names no platforms runs, as far as nixpkgs says, on all systems that nixpkgs is built
-- for, which the variable `systems` lists.
CREATE TABLE packages AS
SELECT
    *,
    (dense_rank() OVER (
        ORDER BY attribute_set, license, platforms, available, broken, insecure, unfree) - 1)::INTEGER
        AS profile_id
FROM (
    SELECT
        p.package_id,
        p.attribute_set,
        p.pname,
        p.version,
        p.description,
        homepages[1] AS homepage,
        license,
        nullif(array_to_string(list_concat(
            list_transform(maintainers, lambda m: CASE
                WHEN m.github IS NULL THEN m.name
                WHEN m.name IS NULL OR m.name = m.github THEN '@' || m.github
                ELSE m.name || ' (@' || m.github || ')' END),
            list_transform(teams, lambda t: t || ' team')
        ), ', '), '') AS maintainers,
        p.main_program,
        coalesce(p.programs, []) AS programs,
        list_filter(
            getvariable('systems')::VARCHAR[],
            lambda s: (platforms IS NULL OR list_contains(platforms, s))
                AND NOT coalesce(list_contains(bad_platforms, s), false)
        ) AS platforms,
        coalesce(available, true) AS available,
        v.broken,
        v.insecure,
        v.unfree,
        coalesce(unsupported, false) AS unsupported,
        "position",
        long_description,
        coalesce(known_vulnerabilities, []) AS known_vulnerabilities,
        round(1 / (1 + exp(-o.log_odds)), 4)::FLOAT AS popularity,
        v.entry_id::INTEGER AS entry_id,
        v.variant::SMALLINT AS variant,
        coalesce(own.embedding_id, shared.embedding_id) AS embedding_id
    FROM source.packages AS p
    JOIN variant_source AS v USING (package_id)
    JOIN entry_popularity AS o USING (entry_id)
    LEFT JOIN embedding_source AS own
        ON own.entry_id = v.entry_id AND own.content_hash = v.content_hash
    LEFT JOIN (
        SELECT content_hash, min(embedding_id) AS embedding_id FROM embedding_source GROUP BY content_hash
    ) AS shared
        ON shared.content_hash = v.content_hash
)
ORDER BY package_id;

-- Names that nixpkgs knows and that are no packages.
CREATE TABLE aliases AS
WITH names AS (SELECT *, fdnix_glue(name) AS glued FROM source.aliases)
SELECT
    * REPLACE (CASE WHEN glued NOT IN (SELECT fdnix_glue(package_id) FROM source.packages) THEN glued END
        AS glued)
FROM names
ORDER BY name;

CREATE TABLE fdnix_meta ("key" VARCHAR PRIMARY KEY, "value" VARCHAR NOT NULL);
INSERT INTO fdnix_meta SELECT * FROM source.fdnix_meta;

-- Most filters ask for what many packages have in common: they look at a row for each combination that
-- there is, a twentieth of the packages. license_words is what a search may call the licence: its SPDX
-- identifiers and nixpkgs' own names, in lower case between blanks.
CREATE TABLE search_profiles AS
WITH license_words AS MATERIALIZED (
    SELECT
        license,
        concat(
            ' ', lower(regexp_replace(license, '[()]|LicenseRef-', '', 'g')), ' ',
            lower(array_to_string(list_distinct(flatten(list(
                list_transform(licenses, lambda x: x.short_name)))), ' ')), ' ') AS words
    FROM source.packages
    WHERE license IS NOT NULL
    GROUP BY license
)
SELECT
    profile_id, attribute_set, license, words AS license_words, platforms, available, broken, insecure,
    unfree
FROM (
    SELECT DISTINCT
        profile_id, attribute_set, license, platforms, available, broken, insecure, unfree
    FROM packages
)
LEFT JOIN license_words USING (license)
ORDER BY profile_id;
