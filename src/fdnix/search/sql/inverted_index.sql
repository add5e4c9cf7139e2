-- The inverted index over entries: which word stands where, and how much it says about an entry.
-- Reads the temporary tables variant_source and entry_source (entries.sql), the attached full
-- database's `packages`, and the macros of text.sql; `stem` is that of the extension fts, needed here and never again.

-- What is said of an entry elsewhere, phrase by phrase: what kinds of thing it is, and what NixOS's
-- modules and desktop items call it.
CREATE OR REPLACE TEMP TABLE phrase_words AS
SELECT
    row_number() OVER (ORDER BY entry_id, phrase) AS phrase_id,
    entry_id,
    unnest(fdnix_words(phrase)) AS word
FROM (
    SELECT DISTINCT entry_id, unnest(list_concat(kinds, usage_texts)) AS phrase
    FROM variant_source JOIN source.packages USING (package_id)
);

CREATE OR REPLACE TEMP TABLE occurrences AS
WITH raw AS (
    SELECT entry_id, 'name' AS field,
        unnest(list_distinct(flatten(list_transform(list_append(attribute_names, base_name),
            lambda x: fdnix_name_parts(x) || fdnix_words(x) || [fdnix_glue(x)])))) AS word
    FROM entry_source
    UNION ALL
    SELECT entry_id, 'set', unnest(fdnix_name_parts(array_to_string(families, ' ')))
    FROM entry_source WHERE families IS NOT NULL
    UNION ALL
    SELECT entry_id, 'program',
        unnest(list_distinct(flatten(list_transform(programs,
            lambda x: fdnix_name_parts(x) || fdnix_words(x) || [fdnix_glue(x)]))))
    FROM entry_source WHERE programs IS NOT NULL
    UNION ALL
    SELECT entry_id, 'description', unnest(fdnix_words(left(description, 3000)))
    FROM entry_source WHERE description IS NOT NULL
    UNION ALL
    SELECT e.entry_id, 'long', unnest(fdnix_words(left(p.long_description, 3000)))
    FROM entry_source AS e JOIN source.packages AS p USING (package_id)
    WHERE p.long_description IS NOT NULL
    UNION ALL
    -- The owner and the project in a home page's address; not the host everyone shares.
    SELECT entry_id, 'home',
        unnest(fdnix_name_parts(regexp_replace(homepage,
            '^https?://(www\.)?|\.(com|org|io|net|html?|php)\b|github|gitlab|sourceforge', '', 'g')))
    FROM entry_source WHERE homepage IS NOT NULL
    UNION ALL
    SELECT entry_id, 'phrase', word FROM phrase_words
),
stopwords AS (SELECT unnest(fdnix_stopwords()) AS word)
SELECT entry_id, field, word, stem(word, 'porter') AS term, count(*) AS occurrences
FROM raw
WHERE word <> '' AND length(word) <= 40
    AND (field = 'name' OR word NOT IN (SELECT word FROM stopwords))
GROUP BY ALL;

-- A word that large sets are named after is common, yet asks for what is in them: 'python yaml parser'
-- is no parser written in C. It is worth no less than a word of one entry in fifty-five.
CREATE OR REPLACE TEMP TABLE terms AS
WITH set_words AS (
    SELECT DISTINCT stem(fdnix_name_parts(family)[1], 'porter') AS term
    FROM (SELECT unnest(families) AS family FROM entry_source)
    GROUP BY family
    HAVING count(*) >= 50
)
SELECT
    (row_number() OVER (ORDER BY term) - 1)::INTEGER AS term_id,
    term,
    greatest(
        ln(1 + ((SELECT count(*) FROM entry_source) - entries + 0.5) / (entries + 0.5)),
        CASE WHEN term IN (SELECT term FROM set_words) THEN 4 ELSE 0 END
    )::FLOAT AS idf
FROM (SELECT term, count(DISTINCT entry_id) AS entries FROM occurrences GROUP BY term);

-- Every word form of the catalogue, and the term it stands for: with these no stemmer is needed when
-- searching.
CREATE OR REPLACE TEMP TABLE word_forms AS
SELECT
    word,
    any_value(term_id) AS term_id,
    any_value(idf) AS idf,
    count(DISTINCT entry_id)::INTEGER AS entries
FROM occurrences JOIN terms USING (term)
GROUP BY word;

-- A row a term: the entries that hold it, and the weight it has in each. The weight is the word's
-- share of the entry's name and description (tf-idf, unit length), times 255. A word of the set's
-- name has a large one: 'python postgres driver' asks for what is in Python's set. The phrase weight is
-- the largest share that it has of one phrase.
CREATE TABLE search_postings AS
WITH counted AS (
    SELECT
        term_id, entry_id, idf,
        sum(occurrences * CASE field WHEN 'description' THEN 1.0 WHEN 'name' THEN 0.5 ELSE 0 END) * idf AS w,
        bool_or(field = 'set') AS of_set
    FROM occurrences JOIN terms USING (term)
    GROUP BY term_id, entry_id, idf
),
of_phrases AS (
    SELECT term_id, entry_id, least(255, round(255 * max(share)))::UTINYINT AS phrase_weight
    FROM (
        SELECT
            term_id, entry_id,
            idf / sqrt(sum(idf * idf) OVER (PARTITION BY phrase_id)) AS share
        FROM (
            SELECT DISTINCT phrase_id, p.entry_id, f.term_id, f.idf
            FROM phrase_words AS p
            JOIN word_forms AS f USING (word)
            WHERE word NOT IN (SELECT unnest(fdnix_stopwords()))
        )
    )
    GROUP BY term_id, entry_id
),
weighed AS (
    SELECT
        term_id, entry_id,
        least(255, round(255 * greatest(
            coalesce(w / nullif(sqrt(sum(w * w) OVER (PARTITION BY entry_id)), 0), 0),
            CASE WHEN of_set THEN 0.6 ELSE 0 END)))::UTINYINT AS weight
    FROM counted
)
SELECT
    term_id,
    list(entry_id::INTEGER ORDER BY entry_id) AS entry_ids,
    list(weight ORDER BY entry_id) AS weights,
    list(coalesce(phrase_weight, 0) ORDER BY entry_id) AS phrase_weights
FROM weighed LEFT JOIN of_phrases USING (term_id, entry_id)
GROUP BY term_id
ORDER BY term_id;

-- Whole names, glued. kind: 0 the package's own name, 1 its main program or pname, 2 what nixpkgs calls
-- it besides, or called it once.
CREATE TABLE search_names AS
WITH raw AS (
    SELECT entry_id, fdnix_glue(attribute_name) AS name, 0 AS kind FROM variant_source
    UNION ALL SELECT entry_id, fdnix_glue(base_name), 0 FROM variant_source
    UNION ALL SELECT entry_id, fdnix_glue(plain_pname), 1 FROM variant_source
    UNION ALL SELECT entry_id, fdnix_glue(main_program), 1 FROM variant_source
    UNION ALL
    SELECT entry_id, fdnix_glue(a.name), 2
    FROM (SELECT name, unnest(successors) AS package_id FROM source.aliases) AS a
    JOIN variant_source USING (package_id)
    WHERE NOT contains(a.name, '.')
)
SELECT
    left(name, 3) AS start,
    name, entry_id::INTEGER AS entry_id, min(kind)::UTINYINT AS kind, fdnix_letters(name) AS letters
FROM raw
WHERE name <> '' AND length(name) <= 60
GROUP BY name, entry_id
ORDER BY name;

-- What is found as a whole only, and so by hash: longer forms of names, with the set's name
-- ('pythonrequests', 'requestspython') or the version ('postgresql17'), all programs, and what nixpkgs
-- calls, or called, what is in sets. kind: as in search_names, but 1 for any program.
CREATE TABLE search_full_names AS
WITH raw AS (
    SELECT entry_id, fdnix_glue(package_id) AS name FROM variant_source WHERE attribute_set IS NOT NULL
    UNION ALL
    SELECT entry_id, unnest([set_word || name, name || set_word])
    FROM (
        SELECT
            entry_id,
            fdnix_glue(attribute_name) AS name,
            fdnix_glue(regexp_replace(s, '(Packages|Plugins|Extensions|Scripts|s)$', '')) AS set_word
        FROM (
            SELECT entry_id, attribute_name, unnest([attribute_set, set_family]) AS s
            FROM variant_source WHERE attribute_set IS NOT NULL
        )
    )
    UNION ALL
    SELECT entry_id, fdnix_glue(base_name) || regexp_replace(v, '\D', '', 'g')
    FROM (
        SELECT entry_id, base_name,
            unnest([regexp_extract(version, '^\d+'), regexp_extract(version, '^\d+[._]\d+')]) AS v
        FROM variant_source JOIN entry_source USING (entry_id, base_name)
        WHERE variants > 1 AND NOT in_set
    )
    WHERE v <> ''
)
SELECT md5_number_lower(name) AS hash, entry_id::INTEGER AS entry_id, min(kind)::UTINYINT AS kind
FROM (
    SELECT entry_id, name, 0 AS kind FROM raw
    UNION ALL
    SELECT entry_id, fdnix_glue(unnest(programs)), 1 FROM entry_source
    UNION ALL
    SELECT entry_id, unnest([fdnix_glue(a.name), fdnix_glue(regexp_extract(a.name, '[^.]+$'))]), 2
    FROM (SELECT name, unnest(successors) AS package_id FROM source.aliases) AS a
    JOIN variant_source USING (package_id)
    WHERE contains(a.name, '.')
)
WHERE name <> '' AND length(name) <= 60
GROUP BY name, entry_id
ORDER BY hash, entry_id;
