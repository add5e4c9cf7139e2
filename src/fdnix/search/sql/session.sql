-- What a connection keeps of the query it is asked: what it is narrowed to, and what it means. Statements
-- that read these tables are planned once; planning takes longer than running. So is a statement with
-- parameters, if the type of each is plain: with `$1::VARCHAR::FLOAT[]` DuckDB plans anew each time.
CREATE TEMP TABLE filters AS
SELECT
    NULL::VARCHAR AS words,
    fdnix_filters(NULL::VARCHAR, {nothing}) AS filters,
    NULL::VARCHAR[] AS complaints
LIMIT 0;

CREATE TEMP TABLE question AS
WITH asked AS MATERIALIZED (SELECT NULL::VARCHAR AS text)
SELECT *, NULL::FLOAT[] AS vector FROM fdnix_understand('asked') LIMIT 0;

-- What of a query, with its filters and those that stand beside it, is to be matched, what it is
-- narrowed to, and what is said of that.
PREPARE narrow AS
INSERT INTO temp.filters
WITH asked AS MATERIALIZED (SELECT $1::VARCHAR AS query, {values})
SELECT fdnix_query_text(query), fdnix_filters(query, {parameters}), fdnix_complaints(query) FROM asked
RETURNING words, complaints;

PREPARE understand AS
INSERT INTO temp.question
WITH asked AS MATERIALIZED (SELECT $1::VARCHAR AS text, $2::VARCHAR AS vector)
SELECT understood.*, vector::FLOAT[] FROM fdnix_understand('asked') AS understood, asked
RETURNING unknown, edits, note;

PREPARE correct AS
UPDATE temp.question SET terms = terms || more_terms, idfs = idfs || more_idfs
FROM fdnix_corrections(
    (SELECT unknown FROM temp.question), (SELECT parsed.last_word FROM temp.question));

PREPARE spell AS
UPDATE temp.question SET names = names || more_names
FROM fdnix_match_misspelt(
    (SELECT parsed.glued FROM temp.question), (SELECT edits FROM temp.question));
