-- What stands in a query besides words: `license:mit`, `"a phrase"`, `-word`.

-- The values of one filter: fdnix_asked('jq license:mit', 'license') -> ['mit'].
CREATE OR REPLACE MACRO fdnix_asked(query, filter_name) AS
    regexp_extract_all(query, '(?:^|\s)' || filter_name || ':"?([^\s"]+)', 1);

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

-- How well a name fits one that begins with it.
CREATE OR REPLACE MACRO fdnix_prefix_fit(kind, begun, length) AS (0.8 - 0.05 * kind) * begun / length;

-- The ranking, whole. Each part lies between 0 and 1, but for the two priors; docs/search.md says
-- what they are. One word is a name far more often than a description: there, what the texts say
-- counts for little, and names and what most people mean for much. The weights are rounded from a
-- logistic fit (listwise softmax) to the tuning parts of the two query sets of benchmarks/.
CREATE OR REPLACE MACRO fdnix_score(
    one_word, meaning, coverage, likeness, name_fit, how, prior, name_prior
) AS
    CASE WHEN one_word
    THEN 1.6 * meaning + 1.6 * coverage + 5.4 * name_fit + name_prior
        + CASE how WHEN 'name' THEN 2 WHEN 'program' THEN 2 WHEN 'prefix' THEN 1.2 ELSE 0 END
    ELSE 10 * meaning + 6 * coverage + 2.5 * likeness + 4 * name_fit + prior
        + CASE how WHEN 'name' THEN 3 WHEN 'program' THEN 1 ELSE 0 END
    END;
