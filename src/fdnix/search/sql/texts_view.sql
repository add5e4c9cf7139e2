-- The texts that the full-text index was made of, once it is: `packages` holds them too.
DROP TABLE packages_fts_source;

CREATE VIEW packages_fts_source AS
SELECT
    package_id,
    concat_ws(
        ' ',
        regexp_replace(package_id, '[^A-Za-z0-9]+', ' ', 'g'),
        CASE WHEN NOT contains(package_id, pname)
             THEN regexp_replace(pname, '[^A-Za-z0-9]+', ' ', 'g') END
    ) AS name,
    main_program AS program,
    description,
    long_description
FROM packages;
