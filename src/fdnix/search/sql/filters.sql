-- Filters, made of the rows of fdnix.search.filters.

-- What is asked, or NULL where nothing is: a struct with the values of each filter, of those that are
-- negated, of flags, and with phrases and excluded words.
CREATE OR REPLACE MACRO fdnix_filters(query, {arguments}) AS
    list_filter(
        list_transform([fdnix_conditions(query)[1:fdnix_most_conditions()]], lambda pieces: {{
            {asked},
            'flags': list_filter(
                fdnix_asked(pieces, 'is:', NULL) || [{flag_parameters}],
                lambda flag: flag IS NOT NULL),
            'no_flags': fdnix_asked(pieces, '-is:', NULL),
            'phrases': fdnix_phrases(pieces, ''),
            'no_phrases': fdnix_phrases(pieces, '-'),
            'excluded': fdnix_excluded_words(pieces),
            'excluded_runs': fdnix_excluded_runs(pieces),
            'excluded_longest': fdnix_excluded_longest(pieces)
        }}),
        lambda f: {any_asked}
    )[1];

-- The packages that pass; none where nothing is asked. Where the argument is NULL as it is written,
-- DuckDB plans nothing of this.
-- -> entry_id, package_row (the packages' rowid)
CREATE OR REPLACE MACRO fdnix_allowed(filters) AS TABLE
WITH
asked AS MATERIALIZED (SELECT f, {asks_packages} AS asks_packages FROM (SELECT filters AS f)),
profiles AS MATERIALIZED (
    SELECT profile_id
    FROM search_profiles AS p CROSS JOIN (SELECT f, {wanted} FROM asked)
    WHERE {passed}
        AND fdnix_set_passes(f, attribute_set)
),
-- Materialised, so that DuckDB makes each text once. Sets are asked already, but for what begins in a
-- set's name and ends behind it.
candidates AS MATERIALIZED (
    SELECT
        entry_id,
        p.rowid AS package_row,
        CASE WHEN len(f.excluded) > 0 THEN fdnix_behind_set(package_id, attribute_set) END
            AS behind_set,
        CASE WHEN len(f.excluded_runs) > 0 THEN concat_ws(
            ' ',
            CASE WHEN len(f.excluded_runs) > len(f.excluded) THEN package_id
            ELSE fdnix_behind_set(package_id, attribute_set) END,
            description,
            long_description
        ) END AS texts
    FROM packages AS p CROSS JOIN (SELECT f FROM asked WHERE asks_packages)
    WHERE filters IS NOT NULL
        -- One condition that stops where it is settled: DuckDB would look at all texts first, for a join.
        AND CASE
        WHEN profile_id IN (SELECT profile_id FROM profiles)
            AND {passed_by_package}
        THEN fdnix_phrases_pass(f, concat_ws(' ', package_id, description, long_description))
        ELSE false END
)
SELECT entry_id, p.rowid AS package_row
FROM packages AS p CROSS JOIN (FROM asked WHERE NOT asks_packages)
WHERE filters IS NOT NULL AND profile_id IN (SELECT profile_id FROM profiles)
UNION ALL
SELECT entry_id, package_row
FROM candidates CROSS JOIN asked
WHERE fdnix_exclusions_pass(f, behind_set, texts);

-- What of a query is passed over, since it says too much.
CREATE OR REPLACE MACRO fdnix_passed_over(query) AS
    list_filter(
        [
            CASE WHEN length(query) > 1000 THEN 'only the first 1,000 characters are read' END,
            list_transform([len(fdnix_conditions(query))], lambda n:
                CASE WHEN n > fdnix_most_conditions()
                THEN concat('only the first ', fdnix_most_conditions(), ' of ', n,
                    ' filters, phrases and excluded words are obeyed') END)[1],
            list_transform([fdnix_query_text(query)], lambda text:
                CASE WHEN len(list_distinct(fdnix_words(text) || fdnix_name_parts(text))) > 64
                THEN 'only 64 of the words are looked for' END)[1]
        ],
        lambda said: said IS NOT NULL);

-- What of a query is no filter though it looks like one, each in a sentence.
CREATE OR REPLACE MACRO fdnix_no_filters(query) AS
    list_transform(
        list_filter(fdnix_pieces(query), lambda piece: regexp_matches(piece, '(?i)^-?[a-z]+:"?\s*"?$')),
        lambda piece: piece || ' says no value')
    || list_transform(
        list_filter(
            list_transform(
                list_filter(fdnix_pieces(query), lambda piece:
                    regexp_matches(piece, '(?i)^-?[a-z]+:[^:/]')
                    AND NOT list_contains({keys}, lower(regexp_extract(piece, '[A-Za-z]+')))),
                lambda piece: {{
                    'asked': regexp_extract(piece, '[A-Za-z]+'),
                    'near': CASE
                        WHEN list_contains({flag_names}, lower(trim(regexp_extract(piece, ':(.*)', 1), ' "')))
                        THEN {{'edits': 0, 'word': 'is'}}
                        ELSE fdnix_likest(lower(regexp_extract(piece, '[A-Za-z]+')), {keys}) END}}),
            -- Of two letters much is a slip from `is` (id:, as:), which takes none but the values above.
            lambda key: key.near.edits <= CASE key.near.word
                WHEN 'is' THEN length(key.asked) // 3
                ELSE greatest(length(key.asked) // 3, 1) END),
        lambda key: concat('there is no filter ', key.asked, ':; there is ', key.near.word, ':'))
    || list_transform(
        list_filter(
            fdnix_asked(fdnix_pieces(query), 'is:', NULL)
                || fdnix_asked(fdnix_pieces(query), '-is:', NULL),
            lambda flag: NOT list_contains({flag_names}, flag)),
        lambda flag: concat(
            'there is no filter is:', flag, '; there is is:', fdnix_likest(flag, {flag_names}).word));

-- What a search says of its query besides hits: sentences, each once.
CREATE OR REPLACE MACRO fdnix_complaints(query) AS
    fdnix_passed_over(query)
    || list_transform([fdnix_no_filters(query)], lambda all_said:
        list_filter(all_said, lambda said, i: list_position(all_said, said) = i))[1][1:8];

-- For values of filters that no package has, the nearest to them that packages have, in sentences.
CREATE OR REPLACE MACRO fdnix_nearest_values(filters) AS TABLE
{nearest_values};
