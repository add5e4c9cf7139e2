# As nixpkgs' file of this name: the configuration its published listing is made with.
{
  allowAliases = false;

  packageOverrides = super: {
    hiddenPackages = super.hiddenPackages // { recurseForDerivations = true; };
  };
}
