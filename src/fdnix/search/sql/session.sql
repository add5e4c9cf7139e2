CREATE TEMP TABLE question (
    text VARCHAR,
    vector FLOAT[],
    max_hits BIGINT,
    skip_hits BIGINT,
    platform VARCHAR,
    attribute_set VARCHAR,
    license VARCHAR,
    maintainer VARCHAR,
    free_only BOOLEAN,
    hide_broken BOOLEAN,
    hide_insecure BOOLEAN,
    hide_unavailable BOOLEAN
);

PREPARE search AS
SELECT *
FROM fdnix_search(
    (SELECT text FROM temp.question),
    (SELECT vector FROM temp.question),
    max_hits := (SELECT max_hits FROM temp.question),
    skip_hits := (SELECT skip_hits FROM temp.question),
    only_platform := (SELECT platform FROM temp.question),
    only_set := (SELECT attribute_set FROM temp.question),
    only_license := (SELECT license FROM temp.question),
    only_maintainer := (SELECT maintainer FROM temp.question),
    free_only := (SELECT free_only FROM temp.question),
    hide_broken := (SELECT hide_broken FROM temp.question),
    hide_insecure := (SELECT hide_insecure FROM temp.question),
    hide_unavailable := (SELECT hide_unavailable FROM temp.question)
);

PREPARE text_search AS
SELECT *
FROM fdnix_search_text(
    (SELECT text FROM temp.question),
    max_hits := (SELECT max_hits FROM temp.question),
    skip_hits := (SELECT skip_hits FROM temp.question),
    only_platform := (SELECT platform FROM temp.question),
    only_set := (SELECT attribute_set FROM temp.question),
    only_license := (SELECT license FROM temp.question),
    only_maintainer := (SELECT maintainer FROM temp.question),
    free_only := (SELECT free_only FROM temp.question),
    hide_broken := (SELECT hide_broken FROM temp.question),
    hide_insecure := (SELECT hide_insecure FROM temp.question),
    hide_unavailable := (SELECT hide_unavailable FROM temp.question)
);

-- The same ranking where nothing filters.
PREPARE search_unfiltered AS
SELECT *
FROM fdnix_search_unfiltered(
    (SELECT text FROM temp.question),
    (SELECT vector FROM temp.question),
    max_hits := (SELECT max_hits FROM temp.question),
    skip_hits := (SELECT skip_hits FROM temp.question)
);

PREPARE text_search_unfiltered AS
SELECT *
FROM fdnix_search_text_unfiltered(
    (SELECT text FROM temp.question),
    max_hits := (SELECT max_hits FROM temp.question),
    skip_hits := (SELECT skip_hits FROM temp.question)
);
