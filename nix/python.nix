# The Python that fdnix runs on: nixpkgs' 3.13, with what nixpkgs lacks.
{
  autoPatchelfHook,
  lib,
  python313,
  stdenv,
}:
let
  python = python313.override {
    self = python;
    packageOverrides = import ./packages.nix { inherit autoPatchelfHook lib stdenv; };
  };
in
python
