# The command `fdnix`, with DuckDB's extensions beside it and the embedding model in it: it needs no
# network but for what it is told to fetch.
{
  callPackage,
  installShellFiles,
  lib,
  stdenv,
}:
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
      ../tools/man_pages.py
    ];
  };

  build-system = [ python.pkgs.hatchling ];
  dependencies = import ./dependencies.nix python.pkgs;
  nativeBuildInputs = [ installShellFiles ];
  # What runs the command cannot be had where it is built for another machine.
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    ${python.interpreter} tools/man_pages.py man
    installManPage man/*.1
    for shell in bash zsh fish; do
      _FDNIX_COMPLETE=''${shell}_source $out/bin/fdnix >fdnix.$shell
    done
    installShellCompletion --cmd fdnix \
      --bash fdnix.bash --zsh fdnix.zsh --fish fdnix.fish
  '';
  pythonImportsCheck = [
    "fdnix.cli"
    "fdnix.pipeline"
    "fdnix.search"
    "fdnix.web.mcp"
    "fdnix.web.server"
  ];

  meta = {
    inherit (project) description;
    license = lib.licenses.mit;
    mainProgram = "fdnix";
    platforms = lib.attrNames (lib.importJSON ./sources.json).duckdb.wheels;
  };
}
