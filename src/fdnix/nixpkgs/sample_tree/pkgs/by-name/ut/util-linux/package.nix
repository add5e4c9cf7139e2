{ stdenv }:
stdenv.mkDerivation {
  pname = "util-linux";
  postInstall = ''
    install -t $out/bin findmnt lsblk lscpu
  '';
}
