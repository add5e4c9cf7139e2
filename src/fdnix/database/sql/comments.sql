-- What the tables of the full database are, for who looks at one with any client.
COMMENT ON TABLE packages IS 'One row a package of nixpkgs, with every field; see docs/schema.md';
COMMENT ON COLUMN packages.package_id IS 'Attribute path, such as python313Packages.requests';
COMMENT ON COLUMN packages.attribute_set IS 'The path before its last dot; NULL at the top level';
COMMENT ON COLUMN packages.attribute_name IS 'The path after its last dot, without quotes';
COMMENT ON COLUMN packages.set_family IS 'The set without its version, such as pythonPackages';
COMMENT ON COLUMN packages.base_name IS 'The attribute''s name without the package''s version and without -unwrapped';
COMMENT ON COLUMN packages.kinds IS 'What it is in the words of those who look for one; of well-known packages alone';
COMMENT ON COLUMN packages.license IS 'SPDX expression; LicenseRef-… for what has no identifier';
COMMENT ON COLUMN packages.platforms IS 'Systems; NULL where nixpkgs names none, which means all';
COMMENT ON COLUMN packages.position IS 'File and line in nixpkgs';
COMMENT ON COLUMN packages.meta_extra IS 'What else meta holds';
COMMENT ON COLUMN packages.content_hash IS 'Of the embedding text; the key into embeddings';
COMMENT ON TABLE packages_fts_source IS 'The texts that full-text search indexes';
COMMENT ON TABLE embedding_failures IS 'Texts that could not be embedded, and why';
COMMENT ON TABLE rejected_packages IS 'Entries of the catalogue that could not be decoded, and why';
COMMENT ON TABLE fdnix_meta IS 'What the file is of and what made it';
