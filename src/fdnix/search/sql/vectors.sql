-- How vectors are compared with those of the file. What is filled in are their lengths, which are part
-- of their types.
CREATE OR REPLACE MACRO fdnix_vector(v) AS v::FLOAT[{dimensions}];
CREATE OR REPLACE MACRO fdnix_head(v) AS (v::FLOAT[])[1:{head}]::FLOAT[{head}];

CREATE OR REPLACE MACRO fdnix_first(v) AS (v::FLOAT[])[1:{first}]::FLOAT[{first}];
CREATE OR REPLACE MACRO fdnix_rest(v) AS (v::FLOAT[])[{first} + 1:]::FLOAT[{rest}];

CREATE OR REPLACE MACRO fdnix_first_product(code, v) AS array_inner_product(code::FLOAT[{first}], v);
CREATE OR REPLACE MACRO fdnix_rest_product(code, v) AS array_inner_product(code::FLOAT[{rest}], v);
