-- search_entries: one row an entry, with how likely anyone means it whatever the query: prior for
-- queries of several words, name_prior for those of one. Reads the temporary tables of entries.sql and
-- inverted_index.sql, `packages`, and popularity (package_id, number).
CREATE OR REPLACE TEMP TABLE prior_parts AS
WITH
-- How many other entries are named after this one: 'docker-compose' speaks for 'docker'.
named_after AS (
    SELECT e.entry_id, count(DISTINCT o.entry_id) - 1 AS n
    FROM entry_source AS e
    JOIN occurrences AS o ON o.field = 'name' AND o.word = fdnix_glue(e.base_name)
    GROUP BY e.entry_id
),
-- What an outside file says of the entry's best known variant.
outside AS (
    SELECT entry_id, max(number) AS number
    FROM packages JOIN popularity USING (package_id)
    GROUP BY entry_id
)
SELECT
    e.entry_id,
    (NOT in_set)::INT AS top_level,
    ln(1 + coalesce(n, 0)) AS named_after,
    (lower(pname) = lower(base_name) AND NOT wrapped)::INT AS plain,
    contains(base_name, '-')::INT AS hyphen,
    coalesce(regexp_matches(description, '(?i)library|bindings'), false)::INT AS library,
    (homepage IS NOT NULL AND NOT regexp_matches(homepage, 'github|gitlab'))::INT AS own_site,
    ln(names) AS names,
    (broken OR insecure)::INT AS bad,
    unfree::INT AS unfree,
    ln(1 + greatest(coalesce(number, 0), 0)) AS popularity
FROM (
    SELECT *, package_id LIKE '%-unwrapped' AS wrapped
    FROM entry_source
) AS e
LEFT JOIN named_after USING (entry_id)
LEFT JOIN outside USING (entry_id);

CREATE TABLE search_entries AS
SELECT
    e.entry_id,
    m.embedding_id,
    fdnix_prior(s, fdnix_prior_weights().several_words)::FLOAT AS prior,
    fdnix_prior(s, fdnix_prior_weights().one_word)::FLOAT AS name_prior
FROM entry_source AS e
JOIN prior_parts AS s USING (entry_id)
LEFT JOIN embedding_source AS m USING (entry_id)
ORDER BY e.entry_id;
