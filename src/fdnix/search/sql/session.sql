-- What a connection keeps of the query it is asked: as the user put it, what it is narrowed to, and
-- what it means. Statements that read these tables are planned once; planning takes longer than
-- running.
CREATE TEMP TABLE asked (text VARCHAR, vector VARCHAR);

-- The query with its filters, and those that stand beside it, by the names of their parameters.
CREATE TEMP TABLE narrowed (query VARCHAR, {columns});

-- What of the query is to be matched, what it is narrowed to, and what is said of that.
CREATE TEMP TABLE filters AS
SELECT
    NULL::VARCHAR AS words,
    fdnix_filters(query, {parameters}) AS filters,
    NULL::VARCHAR[] AS complaints
FROM narrowed;

CREATE TEMP TABLE question AS
SELECT *, NULL::FLOAT[] AS vector, NULL::VARCHAR AS note FROM fdnix_understand('') LIMIT 0;

PREPARE keep_asked AS INSERT INTO temp.asked VALUES ($1, $2);

PREPARE keep_narrowed AS INSERT INTO temp.narrowed VALUES ($1, {values});

PREPARE narrow AS
INSERT INTO temp.filters
SELECT fdnix_query_text(query), fdnix_filters(query, {parameters}), fdnix_complaints(query)
FROM temp.narrowed
RETURNING words, complaints;

PREPARE understand AS
INSERT INTO temp.question
SELECT
    *,
    (SELECT vector::FLOAT[] FROM temp.asked),
    (FROM fdnix_notes((SELECT text FROM temp.asked)))
FROM fdnix_understand((SELECT text FROM temp.asked))
RETURNING unknown, edits, note;

PREPARE correct AS
UPDATE temp.question SET terms = terms || more_terms, idfs = idfs || more_idfs
FROM fdnix_corrections(
    (SELECT unknown FROM temp.question), (SELECT parsed.last_word FROM temp.question));

PREPARE spell AS
UPDATE temp.question SET names = names || more_names
FROM fdnix_match_misspelt(
    (SELECT parsed.glued FROM temp.question), (SELECT edits FROM temp.question));
