{ stdenv }:
stdenv.mkDerivation {
  pname = "imagemagick";
  postInstall = ''
    for tool in compare composite convert identify mogrify montage; do
      ln -s magick $out/bin/$tool
    done
  '';
}
