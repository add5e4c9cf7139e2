-- What is asked, under the names that the search macros' parameters have.
CREATE TEMP TABLE question (
    text VARCHAR,
    vector FLOAT[],
    max_hits BIGINT,
    skip_hits BIGINT,
    only_platform VARCHAR,
    only_set VARCHAR,
    only_license VARCHAR,
    only_maintainer VARCHAR,
    free_only BOOLEAN,
    hide_broken BOOLEAN,
    hide_insecure BOOLEAN,
    hide_unavailable BOOLEAN
);
