-- The inverted index over entries: which word stands where, and how much it says about an entry.

CREATE OR REPLACE TEMP TABLE search_occurrences AS
WITH long_text AS (
    SELECT e.entry_id, f.long_description
    FROM search_entry_source AS e JOIN packages_fts_source AS f USING (package_id)
),
raw AS (
    SELECT entry_id, 'name' AS field,
        unnest(list_distinct(flatten(list_transform(list_append(leaves, base),
            lambda x: fdnix_name_parts(x) || fdnix_words(x) || [fdnix_glue(x)])))) AS word
    FROM search_entry_source
    UNION ALL
    SELECT entry_id, 'set', unnest(fdnix_name_parts(array_to_string(families, ' ')))
    FROM search_entry_source WHERE families IS NOT NULL
    UNION ALL
    SELECT entry_id, 'program',
        unnest(list_distinct(flatten(list_transform(programs,
            lambda x: fdnix_name_parts(x) || fdnix_words(x) || [fdnix_glue(x)]))))
    FROM search_entry_source WHERE programs IS NOT NULL
    UNION ALL
    SELECT entry_id, 'description', unnest(fdnix_words(description))
    FROM search_entry_source WHERE description IS NOT NULL
    UNION ALL
    SELECT entry_id, 'long', unnest(fdnix_words(left(long_description, 3000)))
    FROM long_text WHERE long_description IS NOT NULL
    UNION ALL
    -- The owner and the project in a home page's address; not the host everyone shares.
    SELECT entry_id, 'home',
        unnest(fdnix_name_parts(regexp_replace(homepage,
            '^https?://(www\.)?|\.(com|org|io|net|html?|php)\b|github|gitlab|sourceforge', '', 'g')))
    FROM search_entry_source WHERE homepage IS NOT NULL
),
-- Function words say nothing in a sentence; in a name ('the-powder-toy') they do.
stopwords AS (
    SELECT unnest(['a', 'an', 'and', 'as', 'at', 'by', 'for', 'from', 'in', 'is', 'it', 'of', 'on', 'or',
                   'that', 'the', 'this', 'to', 'with', 'you', 'your']) AS word
)
SELECT entry_id, field, word, stem(word, 'porter') AS term, count(*) AS occurrences
FROM raw
WHERE word <> '' AND length(word) <= 40
    AND (field = 'name' OR word NOT IN (SELECT word FROM stopwords))
GROUP BY ALL;

-- A word that large sets are named after is common, yet asks for what is in them: 'python yaml parser'
-- is no parser written in C. It is worth no less than a word of one entry in fifty-five.
CREATE OR REPLACE TEMP TABLE search_terms AS
WITH set_words AS (
    SELECT DISTINCT stem(fdnix_name_parts(family)[1], 'porter') AS term
    FROM (SELECT unnest(families) AS family FROM search_entry_source)
    GROUP BY family
    HAVING count(*) >= 50
)
SELECT
    (row_number() OVER (ORDER BY term) - 1)::INTEGER AS term_id,
    term,
    count(DISTINCT entry_id) AS entries,
    greatest(
        ln(1 + ((SELECT count(*) FROM search_entry_source) - entries + 0.5) / (entries + 0.5)),
        CASE WHEN term IN (SELECT term FROM set_words) THEN 4 ELSE 0 END
    )::FLOAT AS idf
FROM search_occurrences
GROUP BY term;

-- Every word form of the catalogue, the term it stands for, and what a misspelling is looked up with.
-- A table of forms needs no stemmer when searching.
-- Sorted and looked up by a hash: comparing a number costs a tenth of comparing strings.
CREATE OR REPLACE TABLE search_words AS
SELECT
    fdnix_hash(word) AS hash,
    word,
    any_value(term_id) AS term_id,
    any_value(idf) AS idf,
    count(DISTINCT entry_id)::INTEGER AS entries,
    length(word)::UTINYINT AS length,
    fdnix_letters(word) AS letters
FROM search_occurrences JOIN search_terms USING (term)
GROUP BY word
ORDER BY hash;

-- weight: the word's share of the entry's name and description (tf-idf, unit length), times 255. A
-- word of the set's name has a large one: 'python postgres driver' asks for what is in Python's set.
CREATE OR REPLACE TABLE search_postings AS
WITH counted AS (
    SELECT
        term_id, entry_id, idf,
        sum(occurrences * CASE field WHEN 'description' THEN 1.0 WHEN 'name' THEN 0.5 ELSE 0 END) * idf AS w,
        bool_or(field = 'set') AS of_set
    FROM search_occurrences JOIN search_terms USING (term)
    GROUP BY term_id, entry_id, idf
)
SELECT
    term_id, entry_id,
    least(255, round(255 * greatest(
        coalesce(w / nullif(sqrt(sum(w * w) OVER (PARTITION BY entry_id)), 0), 0),
        CASE WHEN of_set THEN 0.6 ELSE 0 END)))::UTINYINT AS weight
FROM counted
ORDER BY term_id, entry_id;

-- Whole names, glued, for exact, prefix and misspelt look-ups. kind: 0 the package's own name,
-- 1 its program or pname, 2 the name and its set's ('pythonrequests', 'requestspython') or its
-- version ('postgresql17');
-- only kinds 0 and 1 are looked up by prefix.
CREATE OR REPLACE TABLE search_names AS
WITH raw AS (
    SELECT entry_id, fdnix_glue(leaf) AS name, 0 AS kind FROM search_variant_source
    UNION ALL SELECT entry_id, fdnix_glue(base), 0 FROM search_variant_source
    UNION ALL SELECT entry_id, fdnix_glue(plain_pname), 1 FROM search_variant_source
    UNION ALL SELECT entry_id, fdnix_glue(main_program), 1 FROM search_variant_source
    UNION ALL SELECT entry_id, fdnix_glue(package_id), 2 FROM search_variant_source WHERE attribute_set IS NOT NULL
    UNION ALL
    SELECT entry_id, unnest([set_word || fdnix_glue(leaf), fdnix_glue(leaf) || set_word]), 2
    FROM (
        SELECT entry_id, leaf,
            fdnix_glue(regexp_replace(s, '(Packages|Plugins|Extensions|Scripts|s)$', '')) AS set_word
        FROM (
            SELECT entry_id, leaf, unnest([attribute_set, set_family]) AS s
            FROM search_variant_source WHERE attribute_set IS NOT NULL
        )
    )
    UNION ALL
    SELECT entry_id, fdnix_glue(base) || regexp_replace(v, '\D', '', 'g'), 2
    FROM (
        SELECT entry_id, base,
            unnest([regexp_extract(version, '^\d+'), regexp_extract(version, '^\d+[._]\d+')]) AS v
        FROM search_variant_source JOIN search_entry_source USING (entry_id, base)
        WHERE variants > 1 AND NOT in_set
    )
    WHERE v <> ''
)
SELECT
    fdnix_hash(name) AS hash, name, entry_id::INTEGER AS entry_id, min(kind)::UTINYINT AS kind,
    length(name)::UTINYINT AS length, fdnix_letters(name) AS letters
FROM raw
WHERE name <> '' AND length(name) <= 60
GROUP BY name, entry_id
ORDER BY name;
