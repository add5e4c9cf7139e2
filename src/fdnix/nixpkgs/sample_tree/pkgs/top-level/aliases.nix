# Some names that the sample has under another, in the form of nixpkgs' own file.
lib: self: super:
with self;
{
  dnsutils = bind;
  exa = throw "'exa' has been removed as it is unmaintained upstream. Consider using 'eza', a fork of it";
  jdk = openjdk21;
  neofetch = throw "'neofetch' has been removed as it was archived upstream. Consider using 'fastfetch' instead";
  nodejs = nodejs_24;
  python3 = python313;
  transmission = throw "'transmission' has been renamed to 'transmission_4'";
  youtube-dl = throw "'youtube-dl' has been removed as it has seen no release for years. Consider using 'yt-dlp'";
}
