{
  description = "nixpkgs as one self-contained search index: DuckDB, full text and vectors";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = lib.attrNames (lib.importJSON ./nix/sources.json).duckdb.wheels;
      forEachSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      packageFor = pkgs: pkgs.callPackage ./nix/package.nix { };
    in
    {
      packages = forEachSystem (pkgs: {
        default = packageFor pkgs;
      });

      apps = forEachSystem (pkgs: {
        default = {
          type = "app";
          program = lib.getExe (packageFor pkgs);
          meta.description = "Index nixpkgs, and search the index";
        };
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            # ./test makes its own environment from constraints.txt.
            pkgs.python313
            pkgs.nix
            pkgs.nixfmt
          ];
          # The wheels that pip installs link against it.
          LD_LIBRARY_PATH = lib.makeLibraryPath [ pkgs.stdenv.cc.cc ];
        };
      });

      nixosModules.default = import ./nix/module.nix packageFor;

      checks = forEachSystem (
        pkgs:
        {
          package = packageFor pkgs;
          demo = pkgs.runCommand "fdnix-demo" { nativeBuildInputs = [ (packageFor pkgs) ]; } ''
            fdnix demo
            fdnix search --db out/fdnix.duckdb --json "terminal file manager" > $out
          '';
        }
        // lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
          module = pkgs.testers.runNixOSTest {
            name = "fdnix-module";
            nodes.machine = {
              imports = [ self.nixosModules.default ];
              services.fdnix = {
                enable = true;
                search.enable = true;
                settings.NIXPKGS_SOURCE = "sample";
              };
              users.users.alice.isNormalUser = true;
            };
            testScript = ''
              machine.wait_for_unit("timers.target")
              machine.succeed("systemctl start fdnix.service")
              machine.succeed("su alice -c 'fdnix-search --json terminal file manager'")
            '';
          };
        }
      );

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
