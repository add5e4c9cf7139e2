-- The ranking: what words, names and vector find, as one list.
-- question: the name of a table of one row: parsed, terms, idfs, names (see fdnix_understand), and vector:
-- the query's, of whatever length, or NULL. By name: DuckDB takes 0.4 ms to make a struct of it;
-- filters: see fdnix.search.filters; NULL asks nothing, and costs nothing.
-- -> the columns of `packages` that a hit has, of each entry's best variant; variants (attribute paths,
--    best first), score, why, parts (what the score is made of), total (of all hits); where ids are asked
--    for, on the best row: entries (those of all hits) and passing (the rowids of the packages that pass
--    the filters; NULL without)
-- What is grouped is materialised: DuckDB 1.5 may lose rows where it pushes the filter of a join into a
-- grouped side of it and runs it in parallel (duckdb/duckdb#22075).
CREATE OR REPLACE MACRO fdnix_rank(
    question, filters, max_hits, skip_hits, with_ids := false
) AS TABLE
WITH
asked AS MATERIALIZED (
    SELECT
        parsed, terms, names,
        fdnix_first(vector) AS first_of_vector,
        fdnix_rest(vector) AS rest_of_vector,
        sqrt(list_inner_product(vector, vector)) AS length,
        parsed.shape AS shape,
        CASE parsed.shape
            WHEN 'one_word' THEN fdnix_weights().one_word
            WHEN 'few_words' THEN fdnix_weights().few_words
            ELSE fdnix_weights().many_words END AS weights,
        -- A query of filters alone lists all that passes them.
        filters IS NOT NULL AND len(parsed.words) = 0 AS lists_all,
        -- Nothing of the query is known as it stands: all that is found is spelt like it, or of like
        -- meaning.
        len(parsed.words) > 0
            AND len(list_filter(terms, lambda t: t.slot >= 0)) = 0
            AND len(list_filter(names, lambda n: n.how <> 'spelling')) = 0 AS guessed,
        list_sum(idfs) AS worth,
        255 * sqrt(list_inner_product(idfs, idfs)) AS norm
    FROM query_table(question)
),
allowed AS MATERIALIZED (FROM fdnix_allowed(filters)),
filled AS (
    SELECT
        entry_id, slot,
        any_value(idf) AS idf,
        -- A word outside name, set and description has no weight, and says less.
        max(CASE WHEN weight > 0 OR phrase_weight > 0 THEN similarity ELSE 0.8::FLOAT * similarity END)
            AS similarity,
        max(weight) FILTER (similarity > 0.84) AS weight,
        max(phrase_weight) FILTER (similarity > 0.84) AS phrase_weight
    FROM (
        SELECT
            slot, idf, similarity,
            unnest(entry_ids) AS entry_id,
            unnest(weights) AS weight,
            unnest(phrase_weights) AS phrase_weight
        FROM (SELECT unnest(terms, max_depth := 2) FROM asked) JOIN search_postings USING (term_id)
    )
    GROUP BY entry_id, slot
),
matches AS MATERIALIZED (
    SELECT
        entry_id,
        sum(idf * similarity) AS worth,
        sum(idf * weight) AS weight,
        sum(idf * phrase_weight) AS phrase_weight,
        max(fit) AS fit,
        -- Said twice that words have no fit: DuckDB makes a sort key of each `how` that it is given.
        arg_max(how, fit) FILTER (fit IS NOT NULL) AS how
    FROM (
        SELECT * EXCLUDE slot, NULL AS fit, NULL AS how FROM filled
        UNION ALL BY NAME
        SELECT unnest(names, max_depth := 2) FROM asked
    )
    GROUP BY entry_id
),
-- What the first dimensions of the vectors say, which is most of it.
glanced AS (
    SELECT
        e.entry_id, e.popularity, e.code_rest,
        CASE a.shape WHEN 'one_word' THEN prior_one WHEN 'few_words' THEN prior_few ELSE prior_many END
            AS prior,
        e.scale / a.length AS scale,
        fdnix_first_product(e.code_first, a.first_of_vector) AS product
    FROM embeddings AS e CROSS JOIN (SELECT shape, length, first_of_vector FROM asked) AS a
    WHERE e.entry_id IS NOT NULL
    UNION ALL
    SELECT
        entry_id, popularity, NULL,
        CASE shape WHEN 'one_word' THEN prior_one WHEN 'few_words' THEN prior_few ELSE prior_many END,
        NULL, NULL
    FROM search_entries CROSS JOIN (SELECT shape FROM asked)
    WHERE embedding_id IS NULL
),
compared AS (
    SELECT
        g.entry_id, g.popularity, g.prior,
        least(1, coalesce((product + fdnix_rest_product(code_rest, rest_of_vector)) * scale, 0))::FLOAT
            AS vector_similarity,
        coalesce(m.worth / a.worth, 0) AS coverage,
        least(1, coalesce(m.weight / a.norm, 0)) AS tfidf_cosine,
        least(1, coalesce(m.phrase_weight / a.norm, 0)) AS phrase_cosine,
        coalesce(m.fit, 0) AS name_fit,
        m.how
    FROM glanced AS g
    CROSS JOIN (SELECT rest_of_vector, worth, norm, lists_all FROM asked) AS a
    LEFT JOIN matches AS m USING (entry_id)
    WHERE (
            m.entry_id IS NOT NULL
            OR a.lists_all
            OR CASE WHEN product * scale > fdnix_least_of_first()
                THEN (product + fdnix_rest_product(code_rest, rest_of_vector)) * scale
                ELSE 0 END > fdnix_least_similarity()
        )
),
-- Two branches, of which DuckDB plans one: what filters need costs nothing where there are none.
passed AS (
    FROM compared WHERE filters IS NULL
    UNION ALL
    FROM compared SEMI JOIN allowed USING (entry_id) WHERE filters IS NOT NULL
),
scored AS MATERIALIZED (
    SELECT
        entry_id, vector_similarity, coverage, tfidf_cosine, phrase_cosine, name_fit, how, prior,
        round(fdnix_score(
            vector_similarity, coverage, tfidf_cosine, phrase_cosine, name_fit, how, c.prior, popularity,
            weights), 6) AS score
    FROM passed AS c CROSS JOIN (SELECT weights FROM asked)
),
-- Of guesses the best are enough.
enough AS (
    SELECT CASE WHEN any_value(guessed) THEN min(score) ELSE '-infinity' END AS least_score
    FROM (SELECT score FROM scored ORDER BY score DESC LIMIT 10) CROSS JOIN (SELECT guessed FROM asked)
),
top AS MATERIALIZED (
    FROM scored ORDER BY score DESC, entry_id LIMIT max_hits OFFSET skip_hits
),
totals AS (
    SELECT count(*) AS total, NULL AS entries, NULL AS passing, NULL AS bearer
    FROM scored JOIN enough ON score >= least_score
    HAVING NOT with_ids
    UNION ALL
    SELECT
        count(*), list(entry_id),
        (SELECT list(package_row) FROM allowed SEMI JOIN scored USING (entry_id)),
        (SELECT arg_max(entry_id, score) FROM top)
    FROM scored JOIN enough ON score >= least_score
    HAVING with_ids
),
found AS MATERIALIZED (
    SELECT * EXCLUDE (position, long_description, known_vulnerabilities, embedding_id, profile_id)
    FROM (
        FROM packages JOIN (SELECT entry_id FROM top) USING (entry_id)
        WHERE filters IS NULL
        UNION ALL
        FROM packages JOIN (SELECT entry_id FROM top) USING (entry_id)
        WHERE filters IS NOT NULL
            AND packages.rowid IN (SELECT package_row FROM allowed SEMI JOIN top USING (entry_id))
    )
),
-- The variant that the query names comes first; else the entry's own order holds. A number in the
-- query may be the start of a version; a set that the query does not speak of counts against.
by_entry AS MATERIALIZED (
    SELECT
        entry_id,
        list_sort(list({
            'apart': -(
                100 * (fdnix_glue(package_id) = parsed.glued)::INTEGER
                + len(list_intersect(parsed.parts, fdnix_name_parts(package_id)))
                + 2 * len(list_filter(parsed.numbers, lambda n:
                    starts_with(concat(version, '.'), concat(n, '.'))))
                - (attribute_set IS NOT NULL AND len(list_intersect(
                    parsed.parts, fdnix_name_parts(coalesce(attribute_set, '')))) = 0)::INTEGER),
            'variant': variant,
            'package_id': package_id
        })) AS variants,
        any_value(list_filter(programs, lambda name: fdnix_glue(name) = parsed.glued)[1]) AS program
    FROM found CROSS JOIN (SELECT parsed FROM asked)
    GROUP BY entry_id
),
-- What is said of each hit, put together before it is joined with the many columns of its package.
said AS (
    SELECT
        entry_id,
        variants[1].variant AS variant,
        list_transform(variants, lambda v: v.package_id) AS variants,
        score,
        CASE how
            WHEN 'name' THEN 'exact name'
            WHEN 'program' THEN coalesce('has the program ' || program, 'name of its derivation')
            WHEN 'alias' THEN 'nixpkgs leads from this name to it'
            WHEN 'prefix' THEN 'name starts with the query'
            WHEN 'spelling' THEN 'name is spelt like the query'
            ELSE CASE
                WHEN coverage >= 0.99 THEN 'every word'
                WHEN coverage >= 0.01 THEN concat(round(100 * coverage)::INTEGER, '% of the words')
                WHEN vector_similarity > fdnix_least_similarity() THEN 'similar meaning'
                ELSE 'passes the filters' END
        END AS why,
        {
            'vector_similarity': vector_similarity,
            'coverage': coverage,
            'tfidf_cosine': tfidf_cosine,
            'phrase_cosine': phrase_cosine,
            'name_fit': name_fit,
            'prior': prior
        } AS parts,
        total,
        -- On the best row alone: they may be as long as the catalogue.
        CASE WHEN entry_id = bearer THEN entries END AS entries,
        CASE WHEN entry_id = bearer THEN passing END AS passing
    FROM by_entry JOIN top USING (entry_id) JOIN enough ON score >= least_score CROSS JOIN totals
)
SELECT * EXCLUDE (entry_id, variant)
FROM found JOIN said USING (entry_id, variant)
ORDER BY score DESC, entry_id;
