# NixOS: `services.fdnix` indexes nixpkgs on a schedule, and may put a search command on PATH.
fdnixPackage:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.fdnix;
  inherit (lib) types;

  scalar = types.oneOf [
    types.bool
    types.int
    types.float
    types.str
  ];
  environment = lib.mapAttrs (
    _: value: if lib.isBool value then lib.boolToString value else toString value
  ) cfg.settings;

  evaluates = cfg.settings.NIXPKGS_SOURCE != "channel";

  setting =
    type: default: description:
    lib.mkOption { inherit type default description; };

  search = pkgs.writeShellScriptBin "fdnix-search" ''
    exec ${lib.getExe cfg.package} search --db ${lib.escapeShellArg cfg.settings.OUTPUT_MINIFIED_PATH} "$@"
  '';
in
{
  options.services.fdnix = {
    enable = lib.mkEnableOption "indexing nixpkgs into a search database, on a schedule";

    package = lib.mkOption {
      type = types.package;
      default = fdnixPackage pkgs;
      defaultText = lib.literalExpression "the flake's own package";
      description = "The fdnix to run.";
    };

    settings = lib.mkOption {
      default = { };
      description = ''
        Settings by the name of their environment variable; those without an option here are taken
        too. They are readable for every user: keys and passwords belong into
        {option}`services.fdnix.environmentFile`.
      '';
      example = {
        NIXPKGS_SOURCE = "channel";
        NIXPKGS_CHANNEL = "nixos-unstable";
        VSS_EF_SEARCH = 64;
      };
      type = types.submodule {
        freeformType = types.attrsOf scalar;
        options = {
          PROCESSING_MODE = setting (types.enum [
            "metadata"
            "embedding"
            "minified"
            "both"
            "full"
          ]) "both" "The phases to run.";
          NIXPKGS_SOURCE =
            setting types.str "channel"
              "Where the catalogue comes from: auto, nixpkgs, nix-env, channel, sample or a file's path.";
          NIXPKGS_CHANNEL = setting types.str "nixpkgs-unstable" "The channel to index.";
          EMBEDDING_PROVIDER = setting (types.enum [
            "auto"
            "local"
            "bedrock"
          ]) "auto" "Where vectors come from.";
          OUTPUT_PATH =
            setting types.str "/var/lib/fdnix/fdnix-data.duckdb"
              "The full database; the service may write in /var/lib/fdnix alone.";
          OUTPUT_MINIFIED_PATH =
            setting types.str "/var/lib/fdnix/fdnix.duckdb"
              "The minified database, which searches read.";
        };
      };
    };

    environmentFile = lib.mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/run/secrets/fdnix.env";
      description = "A file of NAME=value lines that only root can read, such as AWS credentials.";
    };

    schedule = lib.mkOption {
      type = types.str;
      default = "daily";
      example = "*-*-* 03:00:00";
      description = "When to index, as {manpage}`systemd.time(7)` writes calendar events.";
    };

    randomizedDelay = lib.mkOption {
      type = types.str;
      default = "1h";
      description = "The most by which a run is put off, so that not all hosts ask at once.";
    };

    search.enable = lib.mkEnableOption "the command `fdnix-search`, which searches what was indexed";
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ] ++ lib.optional cfg.search.enable search;

    users.users.fdnix = {
      isSystemUser = true;
      group = "fdnix";
      description = "fdnix indexer";
    };
    users.groups.fdnix = { };

    systemd.timers.fdnix = {
      description = "Index nixpkgs on a schedule";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = cfg.schedule;
        RandomizedDelaySec = cfg.randomizedDelay;
        Persistent = true;
      };
    };

    systemd.services.fdnix = {
      description = "Index nixpkgs into a search database";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      unitConfig = {
        StartLimitIntervalSec = "1d";
        StartLimitBurst = 24;
      };
      path = lib.optional evaluates config.nix.package;
      environment =
        # Units have none of their own, and fdnix would download a channel instead.
        lib.optionalAttrs evaluates { NIX_PATH = lib.concatStringsSep ":" config.nix.nixPath; }
        // environment
        // {
          HOME = "/var/lib/fdnix";
        };
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe cfg.package} run --json";
        User = "fdnix";
        Group = "fdnix";
        StateDirectory = "fdnix";
        WorkingDirectory = "/var/lib/fdnix";
        # Every user may search what was indexed.
        StateDirectoryMode = "0755";
        UMask = "0022";

        # What is left is 75, with which work goes on at AWS, and being killed: the same command
        # goes on from there. The other codes ask for somebody to look.
        Restart = "on-failure";
        RestartPreventExitStatus = "1 2 3 4 5";
        RestartSec = "10min";
        TimeoutStartSec = "6h";
        Nice = 10;
        IOSchedulingClass = "idle";

        AmbientCapabilities = "";
        CapabilityBoundingSet = "";
        DevicePolicy = "closed";
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        PrivateUsers = true;
        ProcSubset = "pid";
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        ProtectSystem = "strict";
        RemoveIPC = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
        SystemCallErrorNumber = "EPERM";
        SystemCallFilter = [
          "@system-service"
          "~@privileged"
        ];
      }
      // lib.optionalAttrs (cfg.environmentFile != null) {
        EnvironmentFile = cfg.environmentFile;
      };
    };
  };
}
