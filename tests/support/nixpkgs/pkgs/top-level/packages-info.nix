# As nixpkgs' file of this name: its published listing, each attribute path with its own pname.
{ }:
let
  pkgs = import ../.. { config = import ./packages-config.nix; };

  # nixpkgs passes over one such attribute, too.
  failing = [
    "asserting"
    "throwing"
  ];

  list =
    prefix: set:
    builtins.concatMap (
      name:
      let
        value = set.${name};
      in
      if builtins.elem name failing || !builtins.isAttrs value then
        [ ]
      else if value.type or null == "derivation" then
        [
          {
            name = prefix + name;
            value = {
              inherit (value)
                meta
                name
                outputName
                system
                ;
              outputs = builtins.listToAttrs (
                map (name: {
                  inherit name;
                  value = null;
                }) (value.outputs or [ "out" ])
              );
              pname = value.pname or value.name;
              version = value.version or "";
            };
          }
        ]
      else if value.recurseForDerivations or false then
        list "${prefix}${name}." value
      else
        [ ]
    ) (builtins.attrNames set);
in
builtins.toJSON {
  version = "2";
  packages = builtins.listToAttrs (list "" pkgs);
}
