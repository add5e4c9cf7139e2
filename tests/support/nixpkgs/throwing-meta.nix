# Something of each package but the first and the last does not evaluate.
{ ... }:
let
  package =
    name: attributes:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "/bin/sh";
    }
    // attributes;
in
{
  first = package "first-1.0" {
    meta.description = "Prints well";
    meta.arguments = x: x; # of which nix-env complains
  };
  asserting = package "asserting-1.0" {
    meta.available =
      assert false;
      true;
  };
  missing = package "missing-1.0" { meta.description = { }.description; };
  set = {
    recurseForDerivations = true;
    "of+1" = package "quoted-1.0" { meta.license = [ { url = throw "no licence today"; } ]; };
    wrong = package "wrong-1.0" { meta.homepage = 1 + "a"; };
  };
  zlast = package "zlast-1.0" { meta.description = "Prints well, too"; };
}
