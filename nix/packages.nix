# What fdnix needs of Python and nixpkgs lacks, or has in another version, as package overrides.
#
# DuckDB loads an extension only if it was built for exactly its own version and platform, so DuckDB
# and its extensions come from one place and in one version: the wheels that the tests run with.
{
  autoPatchelfHook,
  lib,
  stdenv,
}:
let
  sources = lib.importJSON ./sources.json;
  project = (lib.importTOML ../pyproject.toml).project;
  declared = project.dependencies ++ project.optional-dependencies.index;
  system = stdenv.hostPlatform.system;

  pinned =
    name:
    let
      source = sources.${name};
      pin = "${lib.replaceStrings [ "_" ] [ "-" ] name}==${sources.duckdb.version}";
    in
    assert lib.assertMsg (
      source.version == sources.duckdb.version && lib.elem pin declared
    ) "nix/sources.json has ${name} ${source.version}, pyproject.toml asks for another: run tools/nix-sources.py";
    source;
in
final: _prev:
let
  wheel =
    name: arguments:
    let
      source = pinned name;
      file =
        source.wheels.${system}
          or (throw "fdnix: ${name} has no wheel for ${system}, only for ${toString (lib.attrNames source.wheels)}");
    in
    final.buildPythonPackage (
      {
        pname = name;
        inherit (source) version;
        format = "wheel";
        src = final.fetchPypi {
          pname = name;
          inherit (source) version;
          format = "wheel";
          dist = file.python;
          inherit (file)
            abi
            hash
            platform
            python
            ;
        };
      }
      // arguments
    );

  extension =
    name:
    wheel "duckdb_extension_${name}" {
      dependencies = [ final.duckdb ];
      # The file ends with a signature over the rest, which DuckDB checks; what it links against is
      # in the process already when DuckDB loads it.
      dontPatchELF = true;
      dontStrip = true;
      nativeCheckInputs = [ final.duckdb ];
      checkPhase = ''
        runHook preCheck
        file=$out/${final.python.sitePackages}/duckdb_extension_${name}/extensions/v${sources.duckdb.version}/${name}.duckdb_extension
        python -c "import duckdb, sys; duckdb.execute(f\"LOAD '{sys.argv[1]}'\")" "$file"
        runHook postCheck
      '';
      meta = {
        description = "DuckDB's ${name} extension, for DuckDB ${sources.duckdb.version}";
        homepage = "https://duckdb.org/docs/stable/core_extensions/overview";
        license = lib.licenses.mit;
        sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
      };
    };
in
{
  duckdb = wheel "duckdb" {
    nativeBuildInputs = lib.optional stdenv.hostPlatform.isLinux autoPatchelfHook;
    buildInputs = [ (lib.getLib stdenv.cc.cc) ];
    pythonImportsCheck = [ "duckdb" ];
    meta = {
      description = "In-process analytical database";
      homepage = "https://duckdb.org";
      license = lib.licenses.mit;
      sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
    };
  };

  duckdb-extension-fts = extension "fts";
  duckdb-extension-vss = extension "vss";
}
