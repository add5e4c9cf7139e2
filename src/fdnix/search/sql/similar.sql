-- Terms that mean nearly the same as a term; similarity is a cosine, times 255.
CREATE OR REPLACE TABLE search_similar (
    term_id INTEGER NOT NULL,
    similar_id INTEGER NOT NULL,
    similarity UTINYINT NOT NULL
);
