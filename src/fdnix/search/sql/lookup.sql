-- Packages looked up, not searched for: by attribute path, by program, by likeness to another.

-- All that the file holds of one package, with the variants of its entry, likeliest first.
-- -> the columns of `packages`, variants: [{package_id, version, broken, insecure, unfree}], aliases:
--    what else nixpkgs calls it, or did
CREATE OR REPLACE MACRO fdnix_package(path) AS TABLE
WITH asked AS MATERIALIZED (FROM packages WHERE package_id = path)
SELECT
    asked.* EXCLUDE (entry_id, variant, embedding_id, profile_id),
    (
        SELECT list({
            'package_id': v.package_id,
            'version': v.version,
            'broken': v.broken,
            'insecure': v.insecure,
            'unfree': v.unfree
        } ORDER BY v.variant)
        FROM packages AS v
        WHERE v.entry_id = (SELECT entry_id FROM asked)
    ) AS variants,
    (
        SELECT coalesce(list(name ORDER BY name), [])
        FROM aliases
        WHERE target = path AND fdnix_means_target(target, successors, message)
    ) AS aliases
FROM asked;

-- The packages whose texts mean most nearly what the text of one means, each entry once.
-- -> package_id, version, description, broken, insecure, unfree, vector_similarity
CREATE OR REPLACE MACRO fdnix_similar(path, max_hits := 10) AS TABLE
WITH
asked AS MATERIALIZED (
    SELECT p.entry_id, e.vector
    FROM packages AS p JOIN embeddings AS e USING (embedding_id)
    WHERE p.package_id = path
),
nearest AS MATERIALIZED (
    FROM fdnix_nearest((SELECT vector FROM asked), max_hits := max_hits + 1)
)
SELECT package_id, version, description, broken, insecure, unfree, vector_similarity
FROM nearest JOIN packages USING (package_id)
WHERE entry_id <> (SELECT entry_id FROM asked)
ORDER BY vector_similarity DESC, package_id
LIMIT max_hits;

-- The packages that have a program, likeliest first, each entry once: those that have it for their main
-- one, those that have it besides, which are named after it first, then those whose program differs
-- in capitals alone, those of its name, and those that nixpkgs names in the place of that name.
-- -> package_id, version, description, broken, insecure, unfree, why
CREATE OR REPLACE MACRO fdnix_which(program, max_hits := 10) AS TABLE
WITH
asked AS MATERIALIZED (SELECT program AS name, lower(program) AS lower_name),
found AS MATERIALIZED (
    SELECT
        entry_id,
        min({'kind': kind, 'variant': variant, 'package_id': package_id}) AS best
    FROM (
        SELECT
            p.entry_id, p.variant, p.package_id,
            CASE
                WHEN p.main_program = a.name THEN 0
                WHEN list_contains(p.programs, a.name) THEN 1
                WHEN lower(p.main_program) = a.lower_name THEN 2
                WHEN list_contains(list_transform(p.programs, lambda x: lower(x)), a.lower_name) THEN 3
                -- Who names another program may still have one of its own name; plugins have none.
                WHEN p.attribute_set IS NULL
                    AND a.lower_name IN (lower(p.pname), lower(p.package_id))
                THEN CASE WHEN p.main_program IS NULL THEN 4 ELSE 5 END
                WHEN p.package_id IN (
                    SELECT unnest(successors) FROM aliases JOIN asked ON lower(aliases.name) = lower_name)
                THEN 6
            END AS kind
        FROM packages AS p CROSS JOIN asked AS a
    )
    WHERE kind IS NOT NULL
    GROUP BY entry_id
)
SELECT
    p.package_id, p.version, p.description, p.broken, p.insecure, p.unfree,
    CASE f.best.kind
        WHEN 0 THEN 'its main program'
        WHEN 1 THEN concat(
            CASE len(p.programs) WHEN 1 THEN 'the only program that is known of it'
                ELSE concat('one of its ', len(p.programs), ' programs') END,
            '; its main program is ' || p.main_program)
        WHEN 2 THEN concat('its main program is ', p.main_program)
        WHEN 3 THEN concat('one of its programs is ', list_filter(
            p.programs, lambda x: lower(x) = lower_name)[1])
        WHEN 4 THEN 'has this name, and names no main program'
        WHEN 5 THEN concat('has this name; its main program is ', p.main_program)
        ELSE 'nixpkgs leads from this name to it'
    END AS why
FROM found AS f
CROSS JOIN asked
JOIN packages AS p ON p.package_id = f.best.package_id
JOIN search_entries AS e ON e.entry_id = f.entry_id
ORDER BY
    f.best.kind,
    NOT (f.best.kind = 1 AND p.attribute_set IS NULL AND starts_with(p.package_id, name)
        AND NOT regexp_matches(substr(p.package_id, length(name) + 1), '^[a-z]')),
    e.prior_one DESC,
    p.package_id
LIMIT max_hits;
