# The part of nixpkgs' lib that fdnix' Nix files use, with the same meaning.
let
  lib = builtins // {
    assertMsg = condition: message: condition || throw message;
    boolToString = value: if value then "true" else "false";
    escapeShellArg = text: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text) + "'";
    genAttrs =
      names: make:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = make name;
        }) names
      );
    getExe = package: "${package}/bin/${package.meta.mainProgram}";
    getLib = package: package.lib or package;
    importJSON = path: builtins.fromJSON (builtins.readFile path);
    importTOML = path: builtins.fromTOML (builtins.readFile path);
    licenses.mit = {
      shortName = "mit";
      spdxId = "MIT";
    };
    literalExpression = text: { inherit text; };
    makeLibraryPath = packages: builtins.concatStringsSep ":" (map (p: "${p}/lib") packages);
    optional = condition: value: if condition then [ value ] else [ ];
    optionalString = condition: text: if condition then text else "";
    optionalAttrs = condition: set: if condition then set else { };
    sourceTypes.binaryNativeCode.shortName = "binaryNativeCode";

    fileset = {
      unions =
        paths:
        map (path: if builtins.pathExists path then path else throw "no ${toString path}") paths;
      toSource =
        { root, fileset }:
        builtins.path {
          path = root;
          name = "source";
          filter =
            path: _:
            builtins.any (
              wanted:
              path == toString wanted
              || lib.hasPrefix "${toString wanted}/" path
              || lib.hasPrefix "${path}/" (toString wanted)
            ) fileset;
        };
    };
    hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;

    mkIf = condition: content: if condition then content else { };
    mkEnableOption =
      name:
      lib.mkOption {
        type = lib.types.bool;
        default = false;
        description = "Whether to enable ${name}.";
      };
    mkOption = option: option // { _type = "option"; };

    # A type says which values it takes, and what is made of one (and of none, for a submodule).
    types = rec {
      bool.check = builtins.isBool;
      int.check = builtins.isInt;
      float.check = builtins.isFloat;
      str.check = builtins.isString;
      package.check = value: value ? outPath;
      enum = values: { check = value: builtins.elem value values; };
      nullOr = type: { check = value: value == null || type.check value; };
      oneOf = types: { check = value: builtins.any (type: type.check value) types; };
      attrsOf = type: {
        check = set: builtins.isAttrs set && builtins.all type.check (builtins.attrValues set);
      };
      submodule =
        { freeformType, options }:
        {
          check = builtins.isAttrs;
          merge =
            path: given:
            let
              free = removeAttrs given (builtins.attrNames options);
            in
            assert lib.assertMsg (freeformType.check free) "${path}: a setting of a type not taken";
            free // lib.values path options given;
        };
    };

    values =
      path: options: given:
      builtins.mapAttrs (
        name: option:
        let
          here = "${path}.${name}";
          value = given.${name} or option.default;
        in
        if option._type or null != "option" then
          lib.values here option (given.${name} or { })
        else
          assert lib.assertMsg (option ? description) "${here}: no description";
          assert lib.assertMsg (option.type.check value) "${here}: a value of a type not taken";
          (option.type.merge or (_: set: set)) here value
      ) options;

    unknown =
      path: options: given:
      builtins.concatMap (
        name:
        if !options ? ${name} then
          [ "${path}.${name}" ]
        else if options.${name}._type or null != "option" then
          lib.unknown "${path}.${name}" options.${name} given.${name}
        else
          [ ]
      ) (builtins.attrNames given);

    # What one module makes of a configuration, as evalModules does with its options and values.
    evalModule =
      {
        module,
        given,
        pkgs,
      }:
      let
        made = module {
          inherit lib pkgs;
          config = lib.values "config" made.options given // {
            nix.package = pkgs.nix;
            nix.nixPath = [
              "nixpkgs=/etc/nixpkgs"
              "/nix/var/nix/profiles/per-user/root/channels"
            ];
          };
        };
        strangers = lib.unknown "config" made.options given;
      in
      assert lib.assertMsg (strangers == [ ]) "no such option: ${toString strangers}";
      made.config;
  };
in
lib
