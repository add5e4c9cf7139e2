# The command `fdnix`, with DuckDB's extensions beside it and the embedding model in it: it needs no
# network but for what it is told to fetch.
{ callPackage, lib }:
let
  python = callPackage ./python.nix { };
  project = (lib.importTOML ../pyproject.toml).project;
in
python.pkgs.buildPythonApplication {
  pname = project.name;
  inherit (project) version;
  pyproject = true;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../LICENSE
      ../README.md
      ../pyproject.toml
      ../src
    ];
  };

  build-system = [ python.pkgs.hatchling ];
  dependencies = import ./dependencies.nix python.pkgs;
  pythonImportsCheck = [
    "fdnix.cli"
    "fdnix.pipeline"
    "fdnix.search"
  ];

  meta = {
    inherit (project) description;
    license = lib.licenses.mit;
    mainProgram = "fdnix";
    platforms = lib.attrNames (lib.importJSON ./sources.json).duckdb.wheels;
  };
}
