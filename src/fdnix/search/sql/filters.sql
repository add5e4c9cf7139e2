-- Filters, made of the rows of fdnix.search.filters.

-- What is asked, or NULL where nothing is: a struct with a field for each filter and for phrases and
-- excluded words.
CREATE OR REPLACE MACRO fdnix_filters(query, {arguments}) AS
    list_filter(
        [{{
            {asked},
            'phrases': fdnix_phrases(query),
            'excluded': fdnix_excluded(query)
        }}],
        lambda f: {any_asked}
    )[1];

-- The packages that pass; none where nothing is asked. -> entry_id, package_id
CREATE OR REPLACE MACRO fdnix_allowed(filters) AS TABLE
SELECT entry_id, package_id
FROM (SELECT filters AS f) CROSS JOIN packages AS p
WHERE f IS NOT NULL
    AND {passed}
    AND fdnix_text_passes(
        f.phrases, f.excluded, concat_ws(' ', package_id, description, long_description));
