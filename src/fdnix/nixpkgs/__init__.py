"""What nixpkgs says: sources, the catalogue, and one normalised row a package."""
