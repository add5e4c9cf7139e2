-- What nixpkgs itself says of how well known an entry is; see weights.sql for what each sign is worth.
-- Reads the temporary tables of entries.sql and inverted_index.sql, the attached full database's
-- `packages` and `usage`, and outside (package_id, number): what POPULARITY_FILE says.
-- Makes the temporary tables popularity_signals and entry_popularity (entry_id, log_odds).
CREATE OR REPLACE TEMP MACRO fdnix_host(address) AS
    regexp_extract(lower(address), '^https?://(?:www\.)?([^/]+)', 1);

CREATE OR REPLACE TEMP TABLE popularity_signals AS
WITH
-- How many other entries are named after this one: 'docker-compose' speaks for 'docker'.
named_after AS (
    SELECT e.entry_id, count(DISTINCT o.entry_id) - 1 AS n
    FROM entry_source AS e
    JOIN occurrences AS o ON o.field = 'name' AND o.word = fdnix_glue(e.base_name)
    GROUP BY e.entry_id
),
-- How many descriptions have its name for a word.
spoken_of AS (
    SELECT word, count(DISTINCT entry_id) AS n
    FROM occurrences
    WHERE field = 'description'
    GROUP BY word
),
of_variants AS (
    SELECT
        v.entry_id,
        max(len(p.maintainers)) AS maintainers,
        bool_or(p.changelog IS NOT NULL) AS changelog,
        bool_or(p.main_program IS NOT NULL) AS program,
        bool_or(p.long_description IS NOT NULL) AS long_description,
        bool_or(regexp_matches(p.version, '^v?[1-9]')
            AND NOT regexp_matches(p.version, 'unstable|^[0-9]{8}|^(19|20)[0-9]{2}-')) AS released,
        bool_or(regexp_matches(p.version, 'unstable|^0\.0')) AS unreleased,
        max(own_modules) AS own_modules,
        max(tests) AS tests,
        max(own_tests) AS own_tests,
        max(release_notes) AS release_notes,
        max(o.number) AS outside
    FROM variant_source AS v
    JOIN source.packages AS p USING (package_id)
    LEFT JOIN source.usage USING (package_id)
    LEFT JOIN outside AS o USING (package_id)
    GROUP BY v.entry_id
),
hosts AS (
    SELECT fdnix_host(homepage) AS host, count(*) AS n
    FROM entry_source
    WHERE homepage IS NOT NULL
    GROUP BY host
),
sets AS (
    SELECT DISTINCT lower(regexp_replace(
        attribute_set, '[0-9_]*(Packages|Plugins|Extensions|Scripts)?[0-9_]*$', '')) AS owner
    FROM variant_source
    WHERE attribute_set IS NOT NULL
)
SELECT
    e.entry_id,
    NOT in_set AS top_level,
    lower(pname) = lower(base_name) AND e.package_id NOT LIKE '%-unwrapped' AS plain,
    contains(base_name, '-') AS hyphen,
    regexp_matches(base_name, '[0-9]') AS digits,
    coalesce(regexp_matches(
        description, '(?i)\b(library|libraries|bindings?|module|plugin|extension|addon|wrapper)\b'),
        false) AS part,
    in_set AND coalesce(v.program, false) AND NOT part AS application,
    -- A home page that is all of a site, and a site that few share.
    coalesce(
        regexp_full_match(homepage, 'https?://[^/]+/?(#.*)?')
        AND NOT regexp_matches(homepage, 'git(hub|lab)\.io'), false) AS own_site,
    coalesce(h.n <= 3, false) AS own_host,
    unfree,
    ln(names) AS names,
    ln(1 + coalesce(a.n, 0)) AS named_after,
    ln(1 + coalesce(s.n, 0)) AS spoken_of,
    ln(1 + v.maintainers) AS maintainers,
    v.changelog,
    v.program,
    v.long_description,
    coalesce(v.released, false) AS released,
    coalesce(v.unreleased, false) AS unreleased,
    lower(base_name) IN (FROM sets) AS owns_set,
    ln(1 + coalesce(v.own_modules, 0)) AS own_modules,
    ln(1 + coalesce(v.tests, 0)) AS tests,
    ln(1 + coalesce(v.own_tests, 0)) AS own_tests,
    ln(1 + coalesce(v.release_notes, 0)) AS release_notes,
    ln(1 + greatest(coalesce(v.outside, 0), 0)) AS outside
FROM entry_source AS e
JOIN of_variants AS v USING (entry_id)
LEFT JOIN named_after AS a USING (entry_id)
LEFT JOIN hosts AS h ON h.host = fdnix_host(homepage)
LEFT JOIN spoken_of AS s ON s.word = lower(base_name);

CREATE OR REPLACE TEMP TABLE entry_popularity AS
SELECT entry_id, fdnix_popularity(s, fdnix_popularity_weights()) AS log_odds
FROM popularity_signals AS s;
