-- The local model: a text's vector out of the table search_model (token, weight, vector). The rules are
-- those of fdnix.embedding.tokenizer, which computes the same.

-- The runs of ASCII letters and digits, and the ASCII punctuation characters, of a text.
CREATE OR REPLACE MACRO fdnix_units(s) AS
    regexp_extract_all(lower(strip_accents(s)), '[a-z0-9]+|[!-/:-@\[-`{-~]');

-- What is grouped is materialised: see rank.sql.
-- -> vector, of no particular length; NULL where the model knows no token of the text.
CREATE OR REPLACE MACRO fdnix_embed(query) AS TABLE
WITH
units AS MATERIALIZED (
    SELECT words, list_transform(range(1, len(words)), lambda i: words[i] || ' ' || words[i + 1]) AS pairs
    FROM (SELECT fdnix_units(query) AS words)
),
known AS MATERIALIZED (
    SELECT token, weight, vector
    FROM search_model
    WHERE token IN (SELECT unnest(words || pairs) FROM units)
),
used AS MATERIALIZED (
    SELECT unnest(list_transform(range(1, len(words) + 1), lambda i:
        CASE WHEN taken[i + 1] THEN pairs[i] WHEN NOT taken[i] THEN words[i] END)) AS token
    FROM (
        SELECT words, pairs, list_reduce(
            list_transform(pairs, lambda p: [list_contains(phrases, p)]),
            lambda t, f: list_append(t, f[1] AND NOT t[-1]), [false]) || [false] AS taken
        FROM units, (SELECT coalesce(list(token) FILTER (contains(token, ' ')), []) AS phrases FROM known)
    )
),
unknown AS MATERIALIZED (
    SELECT DISTINCT token AS word FROM used WHERE token NOT IN (SELECT token FROM known)
),
longest AS MATERIALIZED (
    SELECT word, start, max(size) AS size
    FROM (
        SELECT word, start, size, CASE WHEN start = 1 THEN '' ELSE '##' END || substr(word, start, size) AS token
        FROM (
            SELECT word, start, unnest(range(1, least(28, length(word) - start + 1) + 1)) AS size
            FROM (SELECT word, unnest(range(1, length(word) + 1)) AS start FROM unknown)
        )
    )
    WHERE token IN (SELECT token FROM search_model WHERE EXISTS (FROM unknown))
    GROUP BY word, start
),
pieces AS MATERIALIZED (
    SELECT word, unnest(list_reduce(
        steps,
        lambda done, step: CASE WHEN done.next = step.start
            THEN {'start': 0::BIGINT, 'next': step.next, 'tokens': done.tokens || step.tokens} ELSE done END,
        {'start': 0::BIGINT, 'next': 1::BIGINT, 'tokens': []::VARCHAR[]}).tokens) AS piece
    FROM (
        SELECT word, list({'start': start, 'next': start + size,
            'tokens': [CASE WHEN start = 1 THEN '' ELSE '##' END || substr(word, start, size)]} ORDER BY start) AS steps
        FROM longest GROUP BY word
    )
),
counted AS MATERIALIZED (
    SELECT token, count(*) AS n
    FROM (
        SELECT coalesce(piece, token) AS token FROM used LEFT JOIN pieces ON word = token WHERE token IS NOT NULL
    )
    GROUP BY token
),
weighted AS (
    SELECT n * weight AS scale, vector FROM counted JOIN known USING (token)
    UNION ALL
    SELECT n * weight, vector FROM counted JOIN search_model USING (token) WHERE EXISTS (FROM pieces) AND token NOT IN (SELECT token FROM known)
)
SELECT list(total ORDER BY dimension)::FLOAT[] AS vector FROM (
    SELECT dimension, sum(scale * value) AS total
    FROM (SELECT scale, unnest(vector::TINYINT[]) AS value, unnest(range(256)) AS dimension FROM weighted)
    GROUP BY dimension
);
