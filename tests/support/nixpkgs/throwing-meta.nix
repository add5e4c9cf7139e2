# The description of the second package throws when it is printed, after the first was.
{ ... }:
let
  package =
    name: meta:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "/bin/sh";
    }
    // {
      inherit meta;
    };
in
{
  first = package "first-1.0" { description = "Prints well"; };
  second = package "second-1.0" {
    arguments = x: x; # of which nix-env complains
    description = throw "no description today";
  };
}
