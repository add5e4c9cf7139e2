CREATE OR REPLACE MACRO {name}(
    query{vector_parameter},
    max_hits := 20,
    skip_hits := 0{filter_parameters}
) AS TABLE
WITH
asked_text AS MATERIALIZED (
    SELECT
        fdnix_query_text(coalesce(query, '')) AS text,
        lower(left(coalesce(query, ''), 1000)) AS whole
),
asked AS MATERIALIZED (
    SELECT
        glued,
        length(glued) AS length,
        fdnix_letters(glued) AS letters,
        numbers,
        -- 'python 3.14' is python314 in an attribute path.
        parts || list_transform(numbers, lambda n: replace(n, '.', '')) AS parts
    FROM (
        SELECT
            fdnix_glue(text) AS glued,
            fdnix_name_parts(text) AS parts,
            regexp_extract_all(text, '[0-9]+(?:\.[0-9]+)*') AS numbers
        FROM asked_text
    )
),
{filters}
asked_words AS MATERIALIZED (
    SELECT word, fdnix_hash(word) AS hash
    FROM (
        SELECT unnest(list_distinct(fdnix_words(text) || fdnix_name_parts(text))[1:64]) AS word
        FROM asked_text
    )
),
known AS MATERIALIZED (
    SELECT word, term_id, idf FROM asked_words JOIN search_words USING (hash, word)
),
unknown AS MATERIALIZED (
    SELECT word, length(word) AS length, fdnix_letters(word) AS letters
    FROM asked_words
    WHERE length(word) >= 4 AND word NOT IN (SELECT word FROM known)
    LIMIT 4
),
-- A word that no package has is taken for a misspelling of words that some do; the last word also
-- for the beginning of one.
guessable AS MATERIALIZED (
    SELECT
        u.word AS asked, u.length, s.word, s.term_id, s.idf, s.entries,
        -- CASE, so that the distance is computed for the few only: filters may run in any order.
        CASE WHEN fdnix_may_be(s.letters, u.letters, fdnix_edits(u.length))
        THEN damerau_levenshtein(s.word, u.word) END AS edits
    FROM unknown AS u
    JOIN search_words AS s
        ON s.length BETWEEN u.length - fdnix_edits(u.length) AND u.length + fdnix_edits(u.length)
),
completed AS MATERIALIZED (
    SELECT u.word AS asked, s.word, s.term_id, s.idf, s.entries
    FROM unknown AS u JOIN search_words AS s ON starts_with(s.word, u.word)
    WHERE u.word = (SELECT fdnix_words(text)[-1] FROM asked_text)
),
guessed AS MATERIALIZED (
    SELECT -dense_rank() OVER (ORDER BY asked) AS slot, term_id, idf, similarity
    FROM (
        SELECT asked, word, term_id, idf, entries, (1 - edits / length)::FLOAT AS similarity
        FROM guessable
        WHERE edits <= CASE WHEN EXISTS (FROM completed) THEN 1 ELSE fdnix_edits(length) END
        UNION ALL
        SELECT *, 0.8::FLOAT FROM completed
    )
    QUALIFY
        row_number() OVER (PARTITION BY asked ORDER BY similarity DESC, entries DESC, word) <= 4
),
-- One slot a distinct word of the query, with what the word is worth; `wanted` says which terms
-- fill it, and how well.
slots AS MATERIALIZED (
    SELECT term_id::BIGINT AS slot, any_value(idf) AS idf FROM known GROUP BY term_id
    UNION ALL
    SELECT slot, max(idf) FROM guessed GROUP BY slot
),
wanted AS MATERIALIZED (
    SELECT slot, slot::INTEGER AS term_id, 1.0::FLOAT AS similarity FROM slots WHERE slot >= 0
    UNION ALL
    SELECT slot, term_id, max(similarity) FROM guessed GROUP BY slot, term_id
    UNION ALL
    SELECT slot, similar_id, similarity / 255
    FROM slots JOIN search_similar AS a ON a.term_id = slot
),
question AS MATERIALIZED (
    SELECT
        sum(idf) AS worth,
        sqrt(sum(idf * idf)) AS norm,
        (SELECT len(fdnix_words(text)) = 1 FROM asked_text) AS one_word
    FROM slots
),
filled AS (
    SELECT
        entry_id, slot,
        -- A word outside name, set and description has no weight, and says less.
        max(CASE WHEN weight > 0 THEN similarity ELSE 0.8::FLOAT * similarity END) AS similarity,
        max(weight) FILTER (similarity > 0.84) AS weight
    FROM wanted JOIN search_postings USING (term_id)
    GROUP BY entry_id, slot
),
matched AS MATERIALIZED (
    SELECT
        entry_id,
        sum(idf * similarity) / any_value(worth) AS coverage,
        least(1, coalesce(sum(idf * weight), 0) / (255 * any_value(norm))) AS likeness
    FROM filled JOIN slots USING (slot), question
    GROUP BY entry_id
),
begun AS MATERIALIZED (
    SELECT n.entry_id, fdnix_prefix_fit(kind, a.length, n.length) AS fit
    FROM asked AS a JOIN search_names AS n
        ON n.name > a.glued AND n.name < a.glued || '~' AND a.length >= 2 AND kind < 2
),
-- Only what is no name as it stands can be a misspelt name, and no sentence of known words is
-- one, unless a number in it may be a version's. What begins a name is less likely to be misspelt.
misspelt AS MATERIALIZED (
    SELECT *, CASE WHEN EXISTS (FROM begun) THEN 1 ELSE fdnix_edits(length) END AS edits
    FROM asked
    WHERE length BETWEEN 3 AND 24
        AND ((SELECT one_word FROM question) OR len(numbers) > 0 OR EXISTS (FROM unknown))
        AND NOT EXISTS (FROM search_names WHERE hash = fdnix_hash(glued) AND name = glued)
),
spelt AS MATERIALIZED (
    SELECT entry_id, kind, name, edits, 2 * edits / length AS wrong
    FROM (
        SELECT
            n.entry_id, n.kind, n.name, a.length, a.edits AS allowed,
            CASE WHEN fdnix_may_be(n.letters, a.letters, a.edits)
            THEN damerau_levenshtein(n.name, a.glued) END AS edits
        FROM misspelt AS a
        JOIN search_names AS n ON n.length BETWEEN a.length - a.edits AND a.length + a.edits
    )
    WHERE edits <= allowed
),
-- The name that was most likely meant.
meant AS (
    SELECT name, wrong
    FROM spelt JOIN search_entries USING (entry_id)
    WHERE kind < 2
    ORDER BY edits, name_prior DESC, name
    LIMIT 1
),
named AS MATERIALIZED (
    SELECT entry_id, max(fit) AS fit, arg_max(how, fit) AS how
    FROM (
        SELECT
            entry_id,
            1 - 0.05 * kind AS fit,
            CASE kind WHEN 1 THEN 'program' ELSE 'name' END AS how
        FROM asked JOIN search_names ON hash = fdnix_hash(glued) AND name = glued
        UNION ALL
        SELECT entry_id, fit, 'prefix' FROM begun
        UNION ALL
        SELECT entry_id, 0.95 - 0.05 * kind - wrong, 'spelling' FROM spelt
        UNION ALL
        SELECT n.entry_id, fdnix_prefix_fit(n.kind, length(m.name), n.length) - wrong / 2, 'spelling'
        FROM meant AS m JOIN search_names AS n
            ON n.name > m.name AND n.name < m.name || '~' AND n.kind < 2
    )
    GROUP BY entry_id
),
{nearest}
candidates AS MATERIALIZED (
    SELECT e.*
    FROM search_entries AS e
    WHERE e.entry_id IN (
        SELECT entry_id FROM matched
        UNION ALL SELECT entry_id FROM named
        {near}
        UNION ALL SELECT entry_id FROM search_entries WHERE (SELECT worth IS NULL FROM question)
    )
),
measured AS (
    SELECT
        e.entry_id,
        {meaning} AS meaning,
        coalesce(m.coverage, 0) AS coverage,
        coalesce(m.likeness, 0) AS likeness,
        coalesce(n.fit, 0) AS name_fit,
        n.how,
        e.prior,
        e.name_prior,
        q.one_word
    FROM candidates AS e
    CROSS JOIN question AS q
    LEFT JOIN matched AS m USING (entry_id)
    LEFT JOIN named AS n USING (entry_id)
    {join_nearest}
    {allowed_entries}
),
ranked AS MATERIALIZED (
    SELECT
        *,
        fdnix_score(
            one_word, meaning, coverage, likeness, name_fit, how, prior, name_prior) AS score
    FROM measured
),
top AS MATERIALIZED (
    SELECT *
    FROM ranked
    ORDER BY score DESC, entry_id
    LIMIT max_hits OFFSET skip_hits
),
-- The variant that the query names comes first; else the entry's own order holds. A number in the
-- query may be the start of a version; a set that the query does not speak of counts against.
hits AS (
    SELECT
        t.entry_id,
        list(
            v.package_id
            ORDER BY
                fdnix_glue(v.package_id) = a.glued DESC,
                len(list_intersect(a.parts, fdnix_name_parts(v.package_id)))
                    + 2 * len(list_filter(a.numbers, lambda n:
                        starts_with(concat(v.version, '.'), concat(n, '.'))))
                    - (v.attribute_set IS NOT NULL AND len(list_intersect(
                        a.parts, fdnix_name_parts(coalesce(v.attribute_set, '')))) = 0)::INTEGER DESC,
                v.variant
        ) AS variants
    FROM top AS t
    JOIN search_variants AS v USING (entry_id)
    CROSS JOIN asked AS a
    {allowed_variants}
    GROUP BY t.entry_id
)
SELECT
    p.* EXCLUDE (content_hash),
    h.variants,
    t.score,
    CASE t.how
        WHEN 'name' THEN 'exact name'
        WHEN 'program' THEN 'name of its program or its derivation'
        WHEN 'prefix' THEN 'name starts with the query'
        WHEN 'spelling' THEN 'name is spelt like the query'
        ELSE CASE
            WHEN t.coverage >= 0.99 THEN 'every word'
            WHEN t.coverage >= 0.01 THEN concat(round(100 * t.coverage)::INTEGER, '% of the words')
            WHEN t.meaning > 0 THEN 'similar meaning'
            ELSE 'passes the filters' END
    END AS why,
    struct_pack(
        meaning := t.meaning, coverage := t.coverage, likeness := t.likeness,
        name_fit := t.name_fit,
        prior := CASE WHEN t.one_word THEN t.name_prior ELSE t.prior END
    ) AS parts,
    (SELECT count(*) FROM ranked) AS total
FROM top AS t
JOIN hits AS h USING (entry_id)
JOIN packages AS p ON p.package_id = h.variants[1]
ORDER BY t.score DESC, t.entry_id
