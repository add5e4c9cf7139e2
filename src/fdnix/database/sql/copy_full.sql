-- All of an attached full database but its vectors and failures.
INSERT INTO packages SELECT * FROM previous.packages ORDER BY package_id;
INSERT INTO packages_fts_source SELECT * FROM previous.packages_fts_source ORDER BY package_id;
INSERT INTO usage SELECT * FROM previous.usage ORDER BY package_id;
INSERT INTO aliases SELECT * FROM previous.aliases ORDER BY "name";
INSERT INTO rejected_packages SELECT * FROM previous.rejected_packages;
INSERT INTO fdnix_meta SELECT * FROM previous.fdnix_meta;
