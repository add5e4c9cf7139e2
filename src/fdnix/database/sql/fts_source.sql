-- The words of a package's names: of the attribute path, and of the pname where it is not words of
-- that: the pname of python313 is python. Of texts longer than any in nixpkgs, the start.
INSERT INTO packages_fts_source
SELECT
    package_id,
    concat_ws(
        ' ',
        regexp_replace(package_id, '[^\p{L}\p{N}]+', ' ', 'g'),
        CASE WHEN NOT contains(
            concat(' ', regexp_replace(package_id, '[^\p{L}\p{N}]+', ' ', 'g'), ' '),
            concat(' ', regexp_replace(pname, '[^\p{L}\p{N}]+', ' ', 'g'), ' '))
        THEN regexp_replace(pname, '[^\p{L}\p{N}]+', ' ', 'g') END
    ),
    main_program,
    left(description, 3000),
    left(long_description, 20000)
FROM packages
ORDER BY package_id;
