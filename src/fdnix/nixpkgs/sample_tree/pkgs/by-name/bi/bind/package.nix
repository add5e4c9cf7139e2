{ stdenv }:
stdenv.mkDerivation {
  pname = "bind";
  postInstall = ''
    for tool in dig host nslookup nsupdate; do
      moveToOutput bin/$tool $dnsutils
    done
    ln -s $out/bin/named $out/bin/dnssec-keygen
  '';
}
