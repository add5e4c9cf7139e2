{ ... }: throw "this nixpkgs is of no use"
