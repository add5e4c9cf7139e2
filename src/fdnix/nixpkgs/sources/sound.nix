# Packages without those of which something does not evaluate; each of these is named in a trace.
{
  # Attribute paths of packages to leave out unseen, since what they do cannot be caught.
  without,
}:
let
  inherit (builtins)
    addErrorContext
    all
    deepSeq
    elem
    functionArgs
    intersectAttrs
    isAttrs
    isFunction
    mapAttrs
    match
    toJSON
    trace
    tryEval
    ;

  # As lib.showAttrPath writes it.
  shown = name: if match "[a-zA-Z_][a-zA-Z0-9_'-]*" name == null then toJSON name else name;

  leaveOut = path: trace "fdnix leaves out ${path}" null;

  kind =
    value:
    if !isAttrs value then
      "other"
    else if value.type or null == "derivation" then
      "package"
    else if value.recurseForDerivations or false then
      "set"
    else
      "other";

  isSound =
    required: package:
    all (name: package ? ${name}) required
    && deepSeq [
      (package.meta or null)
      (package.name or null)
      (package.outputName or null)
      (package.outputs or null)
      (package.pname or null)
      (package.system or null)
      (package.version or null)
    ] true;

  # What throws instead of being a package is nothing that nix-env would speak of.
  sound =
    { required, throwing }:
    let
      each =
        prefix: name: value:
        let
          path = prefix + shown name;
          found = tryEval (kind value);
          isKept = tryEval (isSound required value);
        in
        if elem path without then
          leaveOut path
        else
          addErrorContext "while evaluating package set attribute path '${path}'" (
            if !found.success then
              throwing path value
            else if found.value == "set" then
              mapAttrs (each "${path}.") value
            else if found.value == "package" && !(isKept.success && isKept.value) then
              leaveOut path
            else
              value
          );
    in
    mapAttrs (each "");

  # Named arguments as nix-env passes them: those that the function takes.
  call =
    function: arguments:
    if isFunction function then function (intersectAttrs (functionArgs function) arguments) else function;
in
{
  # What a file evaluates to with these arguments, for nix-env.
  packages =
    file: arguments:
    sound {
      required = [ ];
      throwing = _: value: value;
    } (call file arguments);

  # What packages-info.nix gives where the nixpkgs that it imports is as above.
  published =
    file:
    builtins.scopedImport {
      import =
        path:
        let
          imported = import path;
        in
        if isFunction imported then
          arguments:
          sound {
            required = [
              "meta"
              "name"
              "outputName"
              "system"
            ];
            throwing = path: _: leaveOut path;
          } (imported arguments)
        else
          imported;
    } file { };
}
