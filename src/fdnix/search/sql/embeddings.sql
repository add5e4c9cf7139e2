-- {dimensions}, {head}, {first} and {rest} are whole numbers of ours: DDL takes no parameters. A vector
-- is kept as signed bytes, in a direction within 1e-4 of its own; its length is 1 / scale. It is cut in
-- two, so that a search compares the rest of it only where something speaks for the entry: the words,
-- the name or the first dimensions. The HNSW index is over the head. entry_id and the priors are the
-- entry's whose text it is, here too so that a search reads them with the vector; NULL for the texts of
-- other variants.
CREATE TABLE embeddings (
    embedding_id INTEGER NOT NULL,
    entry_id INTEGER,
    prior_one FLOAT,
    prior_few FLOAT,
    prior_many FLOAT,
    popularity FLOAT,
    scale FLOAT NOT NULL,
    head FLOAT[{head}] NOT NULL,
    code_first TINYINT[{first}] NOT NULL,
    code_rest TINYINT[{rest}] NOT NULL,
    vector FLOAT[{dimensions}] GENERATED ALWAYS AS (
        list_concat(code_first::TINYINT[], code_rest::TINYINT[])::FLOAT[{dimensions}])
);
