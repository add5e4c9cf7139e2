# The stand-in as a flake, in place of the input `nixpkgs`.
{
  outputs = _: {
    lib = import ./lib.nix;
    legacyPackages = builtins.listToAttrs (
      map
        (system: {
          name = system;
          value = import ./. { inherit system; };
        })
        [
          "aarch64-darwin"
          "aarch64-linux"
          "x86_64-linux"
        ]
    );
  };
}
