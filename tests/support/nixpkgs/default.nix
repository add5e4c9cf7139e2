# A nixpkgs of a few packages, for nix-env to evaluate: every form of meta that the real one has.
{
  config ? { },
  # As in nixpkgs: the user's own, unless the caller says otherwise.
  overlays ?
    let
      inPath = builtins.tryEval <nixpkgs-overlays>;
      inHome = builtins.getEnv "HOME" + "/.config/nixpkgs/overlays.nix";
    in
    if inPath.success then
      import inPath.value
    else if builtins.pathExists inHome then
      import inHome
    else
      [ ],
  system ? "x86_64-linux",
}:
let
  package =
    name: attributes:
    derivation (
      {
        inherit name system;
        builder = "/bin/sh";
      }
      // builtins.removeAttrs attributes [ "meta" ]
    )
    // {
      meta = {
        available = true;
        broken = false;
        insecure = false;
        inherit name;
        position = "${toString ./.}/default.nix:1";
        unfree = false;
        unsupported = false;
      }
      // attributes.meta or { };
    };

  plain = name: meta: package name { inherit meta; };

  recurse = set: set // { recurseForDerivations = true; };

  mit = {
    deprecated = false;
    free = true;
    fullName = "MIT License";
    redistributable = true;
    shortName = "mit";
    spdxId = "MIT";
    url = "https://spdx.org/licenses/MIT.html";
  };
  gpl2 = mit // {
    fullName = "GNU General Public License v2.0 only";
    shortName = "gpl2Only";
    spdxId = "GPL-2.0-only";
    url = "https://spdx.org/licenses/GPL-2.0-only.html";
  };
  classpath = {
    fullName = "Classpath exception 2.0";
    shortName = "classpathException20";
    spdxId = "Classpath-exception-2.0";
  };
  ada = {
    email = "ada@example.org";
    github = "ada";
    githubId = 1;
    matrix = "@ada:example.org";
    name = "Ada Example";
  };

  base = {
    hello = package "hello-2.12.1" {
      outputs = [
        "out"
        "man"
      ];
      meta = {
        changelog = "https://example.org/hello/news";
        description = "Program that produces a familiar, friendly greeting";
        downloadPage = "https://example.org/hello/releases";
        homepage = "https://example.org/hello/";
        license = mit;
        longDescription = "It greets.\nIt does so in many languages.\n";
        mainProgram = "hello";
        maintainers = [ ada ];
        outputsToInstall = [ "out" ];
        platforms = [
          "x86_64-linux"
          "aarch64-darwin"
        ];
        sourceProvenance = [
          {
            isSource = true;
            shortName = "fromSource";
          }
        ];
      };
    };

    licenseCompound = plain "license-compound-1.0" {
      license = {
        licenses = [
          mit
          gpl2
        ];
        operator = "OR";
      };
    };
    licenseEmpty = plain "license-empty-1.0" { license = [ ]; };
    licenseException = plain "license-exception-1.0" {
      license = {
        exception = classpath;
        license = gpl2;
      };
    };
    licenseFullNameOnly = plain "license-full-name-1.0" {
      license = {
        fullName = "A licence of our own";
      };
    };
    licenseList = plain "license-list-1.0" {
      license = [
        mit
        gpl2
      ];
    };
    licenseOddSpdx = plain "license-odd-spdx-1.0" {
      license = [
        (mit // { spdxId = " MIT"; })
        (gpl2 // { spdxId = "unknown"; })
      ];
    };
    licenseString = plain "license-string-1.0" { license = "free"; };
    licenseUrlOnly = plain "license-url-1.0" {
      license = {
        url = "https://example.org/licence";
      };
    };

    linkLists = plain "link-lists-1.0" {
      changelog = [
        "https://example.org/a/news"
        "https://example.org/b/news"
      ];
      homepage = [
        "https://example.org/a"
        "https://example.org/b"
      ];
    };
    maintainerStrings = plain "maintainer-strings-1.0" {
      maintainers = [ "Ada Example <ada@example.org>" ];
    };
    platformPatterns = plain "platform-patterns-1.0" {
      badPlatforms = [ { } ];
      platforms = [
        "x86_64-linux"
        {
          cpu = {
            bits = 64;
          };
          kernel = {
            name = "linux";
          };
        }
      ];
    };
    teamMembers = plain "team-members-1.0" {
      teams = [
        {
          github = "example-team";
          members = [ ada ];
          shortName = "Example team";
        }
      ];
    };
    textBreaks = plain "text-breaks-1.0" {
      description = "First line\n  second line, naïve café — 日本語 \"quoted\" \\ and a tab\t.";
    };
    unversioned = plain "unversioned" { description = "Has no version"; };
    withoutFlags = builtins.removeAttrs (plain "without-flags-1.0" { }) [ "meta" ] // {
      meta = {
        description = "Says nothing of itself but this";
      };
    };

    broken = plain "broken-1.0" {
      available = false;
      broken = true;
    };
    insecure = plain "insecure-1.0" {
      available = false;
      insecure = true;
      knownVulnerabilities = [ "CVE-2000-0001" ];
    };
    unfree = plain "unfree-1.0" {
      available = builtins.getEnv "NIXPKGS_ALLOW_UNFREE" == "1";
      license = mit // {
        free = false;
        shortName = "unfree";
      };
      unfree = true;
    };

    # nix-env leaves out what does not evaluate to a derivation.
    throwing = throw "throwing has been removed";
    asserting = assert false; plain "asserting-1.0" { };

    python3Packages = recurse {
      requests = package "python3.13-requests-2.32.5" {
        pname = "requests";
        version = "2.32.5";
        meta.description = "HTTP for humans";
      };
      # nix-env lists a value under its first attribute path only.
      sameHello = base.hello;
      nested = recurse { deep = plain "deep-0.1" { }; };
    };
    hiddenPackages = {
      inside = plain "inside-1.0" { description = "Listed only as nixpkgs' own listing does"; };
    };
  };

  aliases = if config.allowAliases or true then { greeting = base.hello; } else { };
  overridden = base // (config.packageOverrides or (_: { })) base;
in
builtins.foldl' (set: overlay: set // overlay set set) (overridden // aliases) overlays
