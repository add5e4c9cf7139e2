# A nixpkgs of stand-ins: fdnix' Nix files evaluate against it, and its derivations can be built
# with /bin/sh alone. A Python package is a directory that tells its arguments as JSON.
{
  system ? "x86_64-linux",
  # What `bin/python` of an environment runs, and the directory with DuckDB's extensions.
  interpreter ? "/usr/bin/python3",
  extensions ? "/nonexistent",
  # What the environment's Nix leads to.
  nix ? "/usr",
}:
let
  lib = import ./lib.nix;

  make =
    name: script: extra:
    derivation {
      inherit name system;
      builder = "/bin/sh";
      args = [
        "-ec"
        script
      ];
      PATH = "/usr/bin:/bin";
    }
    // extra;
  plain = name: make name "mkdir $out" { meta.mainProgram = name; };

  # As nixpkgs' callPackage: arguments by their names from the package set.
  callPackage =
    path: arguments:
    let
      function = import path;
    in
    function (
      builtins.intersectAttrs (builtins.functionArgs function) (pkgs // { inherit callPackage; })
      // arguments
    );

  # Arguments of a Python package, with derivations told by their names.
  told =
    value:
    if value ? outPath then
      value.name
    else if builtins.isAttrs value then
      builtins.mapAttrs (_: told) value
    else if builtins.isList value then
      map told value
    else
      value;

  buildPython =
    arguments:
    let
      name = "${arguments.pname}-${arguments.version}";
      given = builtins.toFile "arguments.json" (
        builtins.unsafeDiscardStringContext (builtins.toJSON (told (removeAttrs arguments [ "src" ])))
      );
      inherit (arguments) version;
      inputs = map (attribute: arguments.${attribute} or [ ]) [
        "src"
        "build-system"
        "dependencies"
        "nativeBuildInputs"
        "buildInputs"
        "nativeCheckInputs"
      ];
      # Where the wheels have the extensions' files.
      script = ''
        : ${toString inputs}
        mkdir -p $out/lib/python3.13/site-packages
        cp ${given} $out/arguments.json
        case ${name} in duckdb_extension_*)
          module=''${out##*/}; module=''${module#*-}; module=''${module%-*}
          directory=$out/lib/python3.13/site-packages/$module/extensions/v${version}
          mkdir -p $directory
          ln -s ${extensions}/''${module#duckdb_extension_}.duckdb_extension $directory/
        esac
      '';
    in
    make name script {
      inherit arguments version;
      inherit (arguments) meta;
    };

  # The URL that nixpkgs' fetchPypi asks for, without the host.
  fetchPypi =
    arguments:
    let
      file = "${arguments.pname}-${arguments.version}-${arguments.python}-${arguments.abi}-${arguments.platform}.whl";
    in
    plain file // { inherit file; inherit (arguments) hash; };

  python313 = {
    override =
      { self, packageOverrides }:
      let
        known = builtins.listToAttrs (
          map
            (name: {
              inherit name;
              value = plain "python3.13-${name}";
            })
            [
              "boto3"
              "brotli"
              "click"
              "duckdb"
              "hatchling"
              "httpx"
              "jinja2"
              "mcp"
              "msgspec"
              "numpy"
              "packaging"
              "platformdirs"
              "prometheus-client"
              "pyarrow"
              "pydantic"
              "rich"
              "starlette"
              "uvicorn"
              "zstandard"
            ]
        );
        base = known // {
          inherit fetchPypi;
          python = self;
          buildPythonPackage = buildPython;
          buildPythonApplication = buildPython;
        };
        final = base // packageOverrides final base;
      in
      {
        pkgs = final;
        inherit interpreter;
        sitePackages = "lib/python3.13/site-packages";
        withPackages =
          choose:
          make "python3-3.13-env" ''
            : ${toString (choose final)}
            mkdir -p $out/bin
            printf '#!/bin/sh\nexec ${interpreter} "$@"\n' >$out/bin/python
            chmod +x $out/bin/python
          '' { };
      };
  };

  nixPackage = make "nix-2.31" "mkdir $out; ln -s ${nix}/bin $out/bin" { };

  pkgs = {
    inherit callPackage lib python313;
    autoPatchelfHook = plain "auto-patchelf-hook";
    installShellFiles = plain "install-shell-files";
    nix = nixPackage;
    nixfmt = plain "nixfmt";
    nixfmt-tree = plain "nixfmt-tree";
    nixVersions.nix_2_31 = nixPackage;
    cacert = make "cacert" ''
      mkdir -p $out/etc/ssl/certs
      echo stand-in >$out/etc/ssl/certs/ca-bundle.crt
    '' { };
    stdenv = {
      cc.cc = plain "gcc";
      buildPlatform.canExecute = host: host.system == system;
      hostPlatform = {
        inherit system;
        isLinux = builtins.match ".*-linux" system != null;
      };
    };
    buildEnv =
      {
        name,
        paths,
        pathsToLink,
        postBuild,
      }:
      make name ''
        for package in ${toString paths}; do
          for part in ${toString pathsToLink}; do
            if [ -d $package$part ]; then
              mkdir -p $out$part
              ln -sf $package$part/* $out$part/
            fi
          done
        done
        ${postBuild}
      '' { };
    mkShell = arguments: plain "shell" // arguments;
    runCommand =
      name: arguments: script:
      make name script arguments;
    testers.runNixOSTest = test: plain test.name // { inherit test; };
    writeShellScriptBin =
      name: text:
      make name "exit 1" {
        inherit text;
        meta.mainProgram = name;
      };
  };
in
pkgs
