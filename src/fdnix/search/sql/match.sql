-- What a query's words and names find, read out of the file's tables alone.

-- What a query without its filters asks for.
CREATE OR REPLACE MACRO fdnix_parse(query) AS {
    'words': list_distinct(fdnix_words(query) || fdnix_name_parts(query))[1:64],
    'last_word': fdnix_words(query)[-1],
    'shape': CASE
        WHEN len(fdnix_words(query)) = 1 THEN 'one_word'
        WHEN len(list_filter(list_distinct(fdnix_words(query)),
            lambda word: NOT list_contains(fdnix_stopwords(), word))) <= fdnix_few_words() THEN 'few_words'
        ELSE 'many_words' END,
    'glued': fdnix_glue(query),
    'numbers': regexp_extract_all(query, '[0-9]+(?:\.[0-9]+)*'),
    -- 'python 3.14' is python314 in an attribute path.
    'parts': fdnix_name_parts(query) || list_transform(
        regexp_extract_all(query, '[0-9]+(?:\.[0-9]+)*'), lambda n: replace(n, '.', ''))
};

-- The terms that unknown words may be misspellings of, the last word also the beginning of.
-- -> more_terms (their slots are negative), more_idfs: see fdnix_understand
CREATE OR REPLACE MACRO fdnix_corrections(unknown_words, last_word) AS TABLE
WITH
unknown AS MATERIALIZED (
    SELECT word, length(word) AS size, fdnix_letters(word) AS letters
    FROM (SELECT unnest(unknown_words) AS word)
),
compared AS MATERIALIZED (
    SELECT asked, word, term_id, idf, entries, size, edits, completes
    FROM (
        SELECT
            u.word AS asked, u.size, v.word, v.term_id, v.idf, v.entries,
            -- CASE, so that the distance is computed for the few only.
            CASE WHEN abs(length(v.word) - u.size) <= fdnix_edits(u.size)
                AND fdnix_may_be(v.letters, u.letters, fdnix_edits(u.size))
            THEN damerau_levenshtein(v.word, u.word) END AS edits,
            u.word = last_word AND starts_with(v.word, u.word) AS completes
        FROM unknown AS u CROSS JOIN search_vocabulary AS v
    )
    WHERE completes OR edits <= fdnix_edits(size)
),
likeliest AS (
    SELECT -dense_rank() OVER (ORDER BY asked) AS slot, term_id, idf, similarity
    FROM (
        SELECT asked, word, term_id, idf, entries, (1 - edits / size)::FLOAT AS similarity
        FROM compared
        WHERE edits <= CASE WHEN EXISTS (FROM compared WHERE completes) THEN 1
            ELSE fdnix_edits(size) END
        UNION ALL
        SELECT asked, word, term_id, idf, entries, 0.8::FLOAT FROM compared WHERE completes
    )
    QUALIFY
        row_number() OVER (PARTITION BY asked ORDER BY similarity DESC, entries DESC, word) <= 4
)
SELECT
    coalesce(list({'slot': slot, 'term_id': term_id, 'idf': idf, 'similarity': similarity}), [])
        AS more_terms,
    coalesce(list(idf) FILTER (first_of_slot), []) AS more_idfs
FROM (
    SELECT
        slot, term_id, similarity,
        max(idf) OVER (PARTITION BY slot) AS idf,
        row_number() OVER (PARTITION BY slot ORDER BY term_id) = 1 AS first_of_slot
    FROM (
        SELECT slot, term_id, max(idf) AS idf, max(similarity) AS similarity
        FROM likeliest
        GROUP BY slot, term_id
    )
);

-- How well a name fits one that begins with it.
CREATE OR REPLACE MACRO fdnix_prefix_fit(kind, begun, size) AS (0.8 - 0.15 * kind) * begun / size;

-- The entries whose name is spelt like the query, and those named after the likeliest of them; none
-- where edits_allowed is NULL.
-- -> more_names: see fdnix_understand
CREATE OR REPLACE MACRO fdnix_match_misspelt(query_name, edits_allowed) AS TABLE
WITH
asked AS MATERIALIZED (
    SELECT glued, length(glued) AS size, fdnix_letters(glued) AS letters, edits_allowed AS allowed
    FROM (SELECT query_name AS glued)
    WHERE edits_allowed IS NOT NULL
),
fuzzy_matches AS MATERIALIZED (
    SELECT entry_id, kind, name, edits, 2 * edits / size AS wrong
    FROM (
        SELECT
            n.entry_id, n.kind, n.name, a.size, a.allowed,
            CASE WHEN fdnix_may_be(n.letters, a.letters, a.allowed)
            THEN damerau_levenshtein(n.name, a.glued) END AS edits
        FROM asked AS a
        JOIN search_names AS n ON length(n.name) BETWEEN a.size - a.allowed AND a.size + a.allowed
    )
    WHERE edits <= allowed
),
meant AS (
    SELECT name AS likeliest, left(name, 3) AS start, wrong
    FROM fuzzy_matches JOIN search_entries USING (entry_id)
    ORDER BY edits, prior_one DESC, name
    LIMIT 1
)
SELECT coalesce(list({'entry_id': entry_id, 'fit': fit, 'how': 'spelling'}), []) AS more_names
FROM (
    SELECT entry_id, 0.95 - 0.05 * kind - wrong AS fit
    FROM fuzzy_matches
    UNION ALL
    SELECT entry_id, fdnix_prefix_fit(kind, length(likeliest), length(name)) - wrong / 2
    FROM meant JOIN search_names USING (start)
    WHERE starts_with(name, likeliest) AND name <> likeliest
);

-- All that a query without filters asks for, but for what it misspells.
-- asked_table: the name of a table of one row: text, the query. By name, not by a subquery: see fdnix_rank.
-- terms: [{slot, term_id, idf, similarity}]: a slot is a distinct word of the query, worth idf (idfs);
--     similarity says how well a term fills it, 1 for the word itself, less for one spelt like it.
-- names: [{entry_id, fit, how}]: entries that have the query for a name, or for a name's beginning.
-- edits: how many may lie between the query and a name it misspells; NULL where it misspells none.
--     Only what is no name as it stands can be a misspelt one, and no sentence of known words is,
--     unless a number in it may be a version's. What begins a name is less likely to be misspelt.
-- note: what became of the package that it names, where it is none any more.
-- -> parsed (see fdnix_parse), terms, idfs, unknown (words to be corrected), names, edits, note
CREATE OR REPLACE MACRO fdnix_understand(asked_table) AS TABLE
WITH
asked AS MATERIALIZED (
    SELECT text, p, p.glued AS glued, left(p.glued, 3) AS start, md5_number_lower(p.glued) AS hash
    FROM (SELECT text, fdnix_parse(text) AS p FROM query_table(asked_table))
),
known AS (
    SELECT
        coalesce(list(v.word), []) AS words,
        coalesce(map_values(map_from_entries(list_distinct(list((term_id, idf))))), []) AS idfs,
        coalesce(list_distinct(list({
            'slot': term_id::BIGINT, 'term_id': term_id, 'idf': idf, 'similarity': 1::FLOAT
        })), []) AS terms
    FROM (
        SELECT word, fdnix_hash(word) AS hash FROM (SELECT unnest(p.words) AS word FROM asked)
    ) AS w
    JOIN search_vocabulary AS v USING (hash)
    WHERE v.word = w.word
),
named AS (
    SELECT
        coalesce(list({'entry_id': entry_id, 'fit': fit, 'how': how}), []) AS names,
        coalesce(bool_or(how <> 'prefix'), false) AS exact
    FROM (
        SELECT
            entry_id,
            CASE WHEN name = glued THEN 1 - 0.05 * kind
            ELSE fdnix_prefix_fit(kind, length(glued), length(name)) END AS fit,
            CASE WHEN name <> glued THEN 'prefix' WHEN kind = 0 THEN 'name' WHEN kind = 2 THEN 'alias'
                ELSE 'program' END AS how
        FROM asked JOIN search_names USING (start)
        WHERE starts_with(name, glued) AND length(glued) > 1
        UNION ALL
        SELECT entry_id, 0.9, CASE kind WHEN 0 THEN 'name' WHEN 1 THEN 'program' ELSE 'alias' END
        FROM asked JOIN search_full_names USING (hash)
    )
)
SELECT
    p AS parsed, terms, idfs, unknown, names,
    CASE
        WHEN length(p.glued) BETWEEN 3 AND 24
            AND (p.shape = 'one_word' OR len(p.numbers) > 0 OR len(unknown) > 0)
            AND NOT exact
        THEN CASE WHEN len(names) > 0 THEN 1 ELSE fdnix_edits(length(p.glued)) END
    END AS edits,
    (FROM fdnix_note('asked')) AS note
FROM (
    SELECT
        p, terms, idfs, names, exact,
        CASE WHEN exact THEN [] ELSE
            list_filter(p.words, lambda w: length(w) >= 4 AND NOT list_contains(known.words, w))[1:4]
        END AS unknown
    FROM asked, known, named
);

-- fdnix_understand, with what the query misspells: the question that fdnix_rank answers.
-- -> parsed, terms, idfs, names
CREATE OR REPLACE MACRO fdnix_question(query) AS TABLE
WITH
asked AS MATERIALIZED (SELECT query AS text),
understood AS MATERIALIZED (FROM fdnix_understand('asked'))
SELECT
    parsed,
    terms || more_terms AS terms,
    idfs || more_idfs AS idfs,
    names || more_names AS names
FROM understood
CROSS JOIN fdnix_corrections(
    (SELECT unknown FROM understood), (SELECT parsed.last_word FROM understood))
CROSS JOIN fdnix_match_misspelt(
    (SELECT parsed.glued FROM understood), (SELECT edits FROM understood));
