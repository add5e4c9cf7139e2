# All that is in the container's image beside the source: Python with its packages, DuckDB's
# extensions in one directory, the Nix that evaluates, and certificates.
{
  pkgs ? import <nixpkgs> { },
}:
let
  python = pkgs.callPackage ../nix/python.nix { };
  extension =
    name:
    "${python.pkgs."duckdb-extension-${name}"}/${python.sitePackages}/duckdb_extension_${name}"
    + "/extensions/v${python.pkgs.duckdb.version}/${name}.duckdb_extension";
in
pkgs.buildEnv {
  name = "fdnix-environment";
  paths = [
    (python.withPackages (import ../nix/dependencies.nix))
    # The release of the image that builds this (deploy/Dockerfile).
    pkgs.nixVersions.nix_2_31
    pkgs.cacert
  ];
  pathsToLink = [
    "/bin"
    "/etc/ssl"
  ];
  postBuild = ''
    mkdir -p $out/lib/duckdb
    ln -s ${extension "fts"} ${extension "vss"} $out/lib/duckdb/
  '';
}
