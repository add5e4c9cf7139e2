-- How vectors are compared with those of the file. What is filled in are their lengths, which are part
-- of their types, how many are compared whole, and from which cosine on something is found by meaning
-- alone.
CREATE OR REPLACE MACRO fdnix_vector(v) AS v::FLOAT[{dimensions}];
CREATE OR REPLACE MACRO fdnix_head(v) AS (v::FLOAT[])[1:{head}]::FLOAT[{head}];

-- A query's vector, cut in two as those of the file are. Lists, of which a column holds no more than is
-- in it: a column of arrays takes room for 2,048.
CREATE OR REPLACE MACRO fdnix_first(v) AS (v::FLOAT[])[1:{first}];
CREATE OR REPLACE MACRO fdnix_rest(v) AS (v::FLOAT[])[{first} + 1:];

CREATE OR REPLACE MACRO fdnix_first_product(code, v) AS
    array_inner_product(code::FLOAT[{first}], v::FLOAT[{first}]);
CREATE OR REPLACE MACRO fdnix_rest_product(code, v) AS
    array_inner_product(code::FLOAT[{rest}], v::FLOAT[{rest}]);

-- What no word and no name of a query finds is found by meaning above this cosine.
CREATE OR REPLACE MACRO fdnix_least_similarity() AS {least_similarity};

-- What is found by meaning alone is compared whole only where its first dimensions bring the cosine above
-- this.
CREATE OR REPLACE MACRO fdnix_least_of_first() AS {least_of_first};

-- The packages whose vectors are nearest to one, each entry once: -> package_id, vector_similarity.
-- With the extension vss loaded DuckDB finds them in the HNSW index, without by looking at all.
CREATE OR REPLACE MACRO fdnix_nearest(query_vector, max_hits := 10) AS TABLE
SELECT package_id, 1 - distance AS vector_similarity
FROM (
    SELECT entry_id, array_cosine_distance(vector, fdnix_vector(query_vector)) AS distance
    FROM (
        SELECT entry_id, vector
        FROM embeddings
        ORDER BY array_cosine_distance(head, fdnix_head(query_vector))
        LIMIT {candidates}
    )
    WHERE entry_id IS NOT NULL
)
JOIN (SELECT package_id, entry_id FROM packages WHERE variant = 0) USING (entry_id)
ORDER BY distance, package_id
LIMIT max_hits;
