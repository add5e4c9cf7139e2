-- How many of some entries each value of a filter leaves: what a page shows beside a search. What is
-- filled in are the flags (fdnix.search.filters).
-- hits: the ids of a search's entries; passing: of the packages that pass its filters, or NULL: all of
-- the entries' do (see rank.sql).
-- -> key, value (as a query spells them: key:value), entries (how many), most first
CREATE OR REPLACE MACRO fdnix_facets(hits, passing) AS TABLE
WITH
found AS MATERIALIZED (SELECT unnest(hits) AS entry_id),
rows_found AS MATERIALIZED (
    SELECT entry_id, attribute_set, license, platforms, unfree, broken, insecure, available
    FROM (
        SELECT DISTINCT entry_id, profile_id
        FROM packages
        WHERE entry_id IN (SELECT entry_id FROM found)
            AND (passing IS NULL OR rowid IN (SELECT unnest(passing)))
    )
    JOIN search_profiles USING (profile_id)
),
flagged AS MATERIALIZED (
    SELECT {flag_columns}
    FROM rows_found AS p
    GROUP BY entry_id
),
licensed AS MATERIALIZED (SELECT DISTINCT entry_id, license FROM rows_found WHERE license IS NOT NULL),
-- license:GPL-2.0 asks for GPL-2.0-or-later too.
expressions AS MATERIALIZED (
    SELECT
        license,
        words,
        list_distinct(flatten(list_transform(words, lambda word:
            list_transform(
                range(1, len(string_split(word, '-')) + 1),
                lambda parts: array_to_string(string_split(word, '-')[1:parts], '-'))))) AS names
    FROM (
        SELECT
            license,
            list_filter(
                regexp_extract_all(replace(license, 'LicenseRef-', ''), '[A-Za-z0-9.+-]+'),
                lambda word: word NOT IN ('AND', 'OR', 'WITH')) AS words
        FROM (SELECT DISTINCT license FROM licensed)
    )
),
on_platforms AS MATERIALIZED (SELECT DISTINCT entry_id, unnest(platforms) AS platform FROM rows_found)
SELECT 'set' AS key, attribute_set AS value, count(DISTINCT entry_id) AS entries
FROM rows_found
WHERE attribute_set IS NOT NULL
GROUP BY attribute_set
UNION ALL
SELECT 'license', name, count(DISTINCT entry_id)
FROM (SELECT license, unnest(names) AS name FROM expressions) JOIN licensed USING (license)
WHERE name IN (SELECT unnest(words) FROM expressions)
GROUP BY name
UNION ALL
SELECT 'platform', platform, count(*) FROM on_platforms GROUP BY platform
UNION ALL
SELECT 'is', flag, entries FROM (UNPIVOT (SELECT {flag_sums} FROM flagged) ON COLUMNS(*) INTO NAME flag VALUE entries)
WHERE entries > 0
ORDER BY key, entries DESC, value;
