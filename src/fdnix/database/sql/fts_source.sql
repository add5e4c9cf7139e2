-- The words of a package's names: the attribute path and pname, split where people would split
-- them, beside the spelling as it stands. Of texts longer than any in nixpkgs, the start.
INSERT INTO packages_fts_source
SELECT
    package_id,
    concat_ws(
        ' ',
        regexp_replace(package_id, '[^A-Za-z0-9]+', ' ', 'g'),
        CASE WHEN NOT contains(package_id, pname)
             THEN regexp_replace(pname, '[^A-Za-z0-9]+', ' ', 'g') END
    ),
    main_program,
    left(description, 3000),
    left(long_description, 20000)
FROM packages
ORDER BY package_id;
