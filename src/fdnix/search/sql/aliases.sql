-- What nixpkgs says of names that are no packages.

-- What became of a name, in a sentence.
CREATE OR REPLACE MACRO fdnix_alias_note(alias_name, target, message) AS
    CASE
        WHEN message IS NULL THEN concat(alias_name, ' stands for ', target, ' in nixpkgs')
        WHEN target IS NOT NULL AND contains(lower(message), 'renamed')
        THEN concat(alias_name, ' was renamed to ', target)
        WHEN regexp_matches(message, '(?i)\b(?:removed|dropped)\b')
        THEN concat(alias_name, ' was removed from nixpkgs: "', message, '"')
        ELSE concat('nixpkgs says of ', alias_name, ': "', message, '"') END;

-- Whether who asks for an alias means its target: nixpkgs calls it so, or did.
CREATE OR REPLACE MACRO fdnix_means_target(target, successors, message) AS
    list_contains(successors, target)
    AND (message IS NULL
        OR regexp_matches(message, '(?i)\b(?:renamed|moved to|replaced (?:by|with))\b'));

-- What the file holds of a name that is no package. -> name, target, successors, note, means_target
CREATE OR REPLACE MACRO fdnix_alias(alias_name) AS TABLE
SELECT
    name, target, successors,
    fdnix_alias_note(name, target, message) AS note,
    coalesce(fdnix_means_target(target, successors, message), false) AS means_target
FROM aliases
WHERE name = alias_name;

-- What became of the package that a query names, where it is none any more. Where a package has the same
-- name but for capitals and punctuation, the alias is meant only as it stands.
-- named_table: the name of a table of one row: text, and glued, which fdnix_glue makes of it
-- -> sentence
CREATE OR REPLACE MACRO fdnix_note(named_table) AS TABLE
SELECT fdnix_alias_note(name, target, message) AS sentence
FROM aliases AS a JOIN query_table(named_table) AS q ON a.glued = q.glued OR name = text
ORDER BY name <> text, name
LIMIT 1;

-- The same of a query with its filters. -> sentence
CREATE OR REPLACE MACRO fdnix_notes(query) AS TABLE
WITH named AS MATERIALIZED (
    SELECT text, fdnix_glue(text) AS glued FROM (SELECT fdnix_query_text(query) AS text)
)
FROM fdnix_note('named');
