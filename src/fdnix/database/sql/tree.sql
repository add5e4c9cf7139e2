-- What a nixpkgs tree says of packages that are there, out of the Arrow tables `tree_usage` and
-- `tree_aliases`.
INSERT INTO usage BY NAME SELECT * FROM tree_usage SEMI JOIN packages USING (package_id) ORDER BY package_id;
INSERT INTO aliases BY NAME SELECT * FROM tree_aliases WHERE "name" NOT IN (SELECT package_id FROM packages) ORDER BY "name";
