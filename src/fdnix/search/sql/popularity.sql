-- What nixpkgs itself says of how well known an entry is; see weights.sql for what each sign is worth.
-- Reads the temporary tables of entries.sql and inverted_index.sql, the attached full database's
-- `packages` and `usage`, outside (package_id, number): what POPULARITY_FILE says, and well_known (name,
-- level): how widely known an entry is beyond nixpkgs, by the name it has in whatever version of its set.
-- Makes the temporary tables popularity_signals and entry_popularity (entry_id, log_odds).
CREATE OR REPLACE TEMP TABLE popularity_signals AS
WITH
of_variants AS (
    SELECT
        v.entry_id,
        max(len(p.maintainers)) AS maintainers,
        bool_or(p.main_program IS NOT NULL) AS program,
        max(own_modules) AS own_modules,
        max(own_tests) AS own_tests,
        max(o.number) AS outside,
        max(k.level) AS known
    FROM variant_source AS v
    JOIN source.packages AS p USING (package_id)
    LEFT JOIN source.usage USING (package_id)
    LEFT JOIN outside AS o USING (package_id)
    LEFT JOIN well_known AS k ON k.name = concat_ws('.', p.set_family, p.base_name)
    GROUP BY v.entry_id
),
sets AS (
    SELECT DISTINCT lower(regexp_replace(
        attribute_set, '[0-9_]*(Packages|Plugins|Extensions|Scripts)?[0-9_]*$', '')) AS owner
    FROM variant_source
    WHERE attribute_set IS NOT NULL
)
SELECT
    e.entry_id,
    NOT in_set AS top_level,
    lower(pname) = lower(base_name) AND e.package_id NOT LIKE '%-unwrapped' AS plain,
    contains(base_name, '-') AS hyphen,
    regexp_matches(base_name, '[0-9]') AS digits,
    coalesce(regexp_matches(
        description, '(?i)\b(library|libraries|bindings?|module|plugin|extension|addon|wrapper)\b'),
        false) AS part,
    in_set AND v.program AND NOT part AS application,
    in_set AND v.known IS NOT NULL AS known_in_set,
    -- A home page that is all of a site.
    coalesce(
        regexp_full_match(homepage, 'https?://[^/]+/?(#.*)?')
        AND NOT regexp_matches(homepage, 'git(hub|lab)\.io'), false) AS own_site,
    ln(names) AS names,
    ln(1 + v.maintainers) AS maintainers,
    v.program,
    lower(base_name) IN (FROM sets) AS owns_set,
    ln(1 + coalesce(v.own_modules, 0)) AS own_modules,
    ln(1 + coalesce(v.own_tests, 0)) AS own_tests,
    coalesce(v.known, 0) AS known,
    ln(1 + greatest(coalesce(v.outside, 0), 0)) AS outside
FROM entry_source AS e
JOIN of_variants AS v USING (entry_id);

CREATE OR REPLACE TEMP TABLE entry_popularity AS
SELECT entry_id, fdnix_popularity(s, fdnix_popularity_weights()) AS log_odds
FROM popularity_signals AS s;
