-- The texts that the full-text index was made of, once it is: `packages` holds them too.
DROP TABLE packages_fts_source;

CREATE VIEW packages_fts_source AS
SELECT
    package_id,
    concat_ws(
        ' ',
        regexp_replace(package_id, '[^\p{L}\p{N}]+', ' ', 'g'),
        CASE WHEN NOT contains(
            concat(' ', regexp_replace(package_id, '[^\p{L}\p{N}]+', ' ', 'g'), ' '),
            concat(' ', regexp_replace(pname, '[^\p{L}\p{N}]+', ' ', 'g'), ' '))
        THEN regexp_replace(pname, '[^\p{L}\p{N}]+', ' ', 'g') END
    ) AS name,
    main_program AS program,
    description,
    long_description
FROM packages;
