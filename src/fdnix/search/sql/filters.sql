-- Filters, made of the rows of fdnix.search.filters.

-- What is asked, or NULL where nothing is: a struct with the values of each filter, of those that are
-- negated, of flags, and with phrases and excluded words.
CREATE OR REPLACE MACRO fdnix_filters(query, {arguments}) AS
    list_filter(
        list_transform([fdnix_pieces(query)], lambda pieces: {{
            {asked},
            'flags': list_filter(
                fdnix_asked(pieces, 'is:', NULL) || [{flag_parameters}],
                lambda flag: flag IS NOT NULL),
            'no_flags': fdnix_asked(pieces, '-is:', NULL),
            'phrases': fdnix_phrases(pieces, ''),
            'no_phrases': fdnix_phrases(pieces, '-'),
            'excluded': fdnix_excluded(pieces)
        }}),
        lambda f: {any_asked}
    )[1];

-- The packages that pass; none where nothing is asked. -> entry_id, package_id
CREATE OR REPLACE MACRO fdnix_allowed(filters) AS TABLE
SELECT entry_id, package_id
FROM (
    SELECT
        f,
        {wanted}
    FROM (SELECT filters AS f)
)
CROSS JOIN packages AS p
LEFT JOIN search_licenses AS l USING (license)
WHERE f IS NOT NULL
    AND {passed}
    AND fdnix_text_passes(
        f, package_id, concat_ws(' ', package_id, description, long_description));

-- What of a query is no filter though it looks like one, each in a sentence.
CREATE OR REPLACE MACRO fdnix_complaints(query) AS
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
                    'near': fdnix_likest(lower(regexp_extract(piece, '[A-Za-z]+')), {keys})}}),
            lambda key: key.near.edits <= length(key.asked) // 3),
        lambda key: concat('there is no filter ', key.asked, ':; there is ', key.near.word, ':'))
    || list_transform(
        list_filter(
            fdnix_asked(fdnix_pieces(query), 'is:', NULL)
                || fdnix_asked(fdnix_pieces(query), '-is:', NULL),
            lambda flag: NOT list_contains({flag_names}, flag)),
        lambda flag: concat(
            'there is no filter is:', flag, '; there is is:', fdnix_likest(flag, {flag_names}).word));

-- For filters that no package passes, the values nearest to theirs that packages have, in sentences.
CREATE OR REPLACE MACRO fdnix_nearest_values(filters) AS TABLE
{nearest_values};
