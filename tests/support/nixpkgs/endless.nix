# Takes longer than anybody waits, in little memory.
{ ... }:
let
  count = n: if n == 0 then 1 else count (n - 1) + count (n - 1);
in
{
  package = derivation {
    name = "package-${toString (count 80)}";
    system = "x86_64-linux";
    builder = "/bin/sh";
  };
}
