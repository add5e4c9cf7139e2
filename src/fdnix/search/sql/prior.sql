-- search_entries: one row an entry, with how likely anyone means it (prior) whatever the query.
CREATE OR REPLACE TEMP TABLE search_prior_parts AS
WITH
-- How many other entries are named after this one: 'docker-compose' speaks for 'docker'.
named_after AS (
    SELECT e.entry_id, count(DISTINCT o.entry_id) - 1 AS n
    FROM search_entry_source AS e
    JOIN search_occurrences AS o ON o.field = 'name' AND o.word = fdnix_glue(e.base)
    GROUP BY e.entry_id
),
-- What an outside file says of the entry's best known variant.
outside AS (
    SELECT entry_id, max(number) AS number
    FROM search_variants JOIN popularity USING (package_id)
    GROUP BY entry_id
)
SELECT
    e.entry_id,
    (NOT in_set)::INT AS top_level,
    ln(1 + coalesce(n, 0)) AS named_after,
    (lower(pname) = lower(base) AND NOT wrapped)::INT AS plain,
    contains(base, '-')::INT AS hyphen,
    coalesce(regexp_matches(description, '(?i)library|bindings'), false)::INT AS library,
    (homepage IS NOT NULL AND NOT regexp_matches(homepage, 'github|gitlab'))::INT AS own_site,
    ln(names) AS names,
    (broken OR insecure)::INT AS bad,
    unfree::INT AS unfree,
    ln(1 + greatest(coalesce(number, 0), 0)) AS popularity
FROM (
    SELECT *, package_id LIKE '%-unwrapped' AS wrapped
    FROM search_entry_source
) AS e
LEFT JOIN named_after USING (entry_id)
LEFT JOIN outside USING (entry_id);

-- The weights are rounded from a logistic fit, like those of fdnix_score: prior is for queries of
-- several words, name_prior for those of one.
CREATE OR REPLACE TABLE search_entries AS
SELECT
    e.entry_id,
    v.vector_row,
    (
        1.4 * s.top_level
        + 0.4 * s.plain
        - 0.45 * s.hyphen
        + 0.4 * s.own_site
        + 0.3 * s.names
        + shared
    )::FLOAT AS prior,
    (2.8 * s.top_level + 0.9 * s.own_site + 0.6 * s.names + shared)::FLOAT AS name_prior
FROM search_entry_source AS e
JOIN (
    SELECT
        *,
        0.2 * named_after - 0.45 * library - 0.8 * bad - 0.5 * unfree + 0.5 * popularity AS shared
    FROM search_prior_parts
) AS s USING (entry_id)
LEFT JOIN (SELECT rowid AS vector_row, content_hash FROM embeddings) AS v USING (content_hash)
ORDER BY e.entry_id;
