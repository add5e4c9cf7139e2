-- What stands in a query besides words: `license:mit`, `"a phrase"`, `-word`. Filters are made of the
-- table of fdnix.search.filters.

-- The values of one filter: fdnix_asked('jq license:mit', 'license', NULL) -> ['mit'].
CREATE OR REPLACE MACRO fdnix_asked(query, filter_name, parameter) AS
    list_filter(
        list_append(
            regexp_extract_all(lower(left(query, 1000)), '(?:^|\s)' || filter_name || ':"?([^\s"]+)', 1),
            lower(parameter)),
        lambda value: value IS NOT NULL);

-- What is left to be matched: no filters, no excluded words, no quotation marks.
CREATE OR REPLACE MACRO fdnix_query_text(query) AS
    trim(regexp_replace(
        regexp_replace(
            left(query, 1000),
            '(?i)(?:^|\s)(?:(?:license|maintainer|set|platform|is):\S*|-[^\s-]\S*)', ' ', 'g'),
        '["\s]+', ' ', 'g'));

CREATE OR REPLACE MACRO fdnix_phrases(query) AS
    list_filter(regexp_extract_all(lower(left(query, 1000)), '"\s*([^"]+?)\s*"', 1), lambda p: p <> '');

CREATE OR REPLACE MACRO fdnix_excluded(query) AS
    regexp_extract_all(lower(left(query, 1000)), '(?:^|\s)-([^\s"-][^\s"]*)', 1);

-- Whether a text holds all phrases and none of the excluded words. CASE, so that a text is looked at
-- only where something is asked of it, and cut into words only where it has a word's letters.
CREATE OR REPLACE MACRO fdnix_text_passes(phrases, excluded, words) AS
    CASE WHEN len(phrases) + len(excluded) = 0 THEN true
    ELSE len(list_filter(phrases, lambda x: NOT contains(lower(words), x))) = 0
        AND len(list_filter(excluded, lambda x: CASE
            WHEN contains(lower(words), x) THEN list_contains(fdnix_words(words), x)
            ELSE false END)) = 0
    END;
