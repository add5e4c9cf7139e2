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

-- What became of the package that a query names, where it is none any more. -> sentence
CREATE OR REPLACE MACRO fdnix_notes(query) AS TABLE
WITH asked AS MATERIALIZED (SELECT fdnix_query_text(query) AS text)
SELECT note AS sentence FROM fdnix_understand('asked') WHERE note IS NOT NULL;
