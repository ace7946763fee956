# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Notifier do
  @moduledoc "Programs that become ready, in Perl, which every Debian has."

  @doc "Sends each line of its input to NOTIFY_SOCKET. A semicolon stands for a newline."
  @spec notify() :: [String.t()]
  def notify do
    script("""
    socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die;
    (my $name = $ENV{NOTIFY_SOCKET}) =~ s/^@/\\0/;
    while (<STDIN>) {
      chomp;
      tr/;/\\n/;
      send($socket, $_, 0, pack_sockaddr_un($name)) or die "$!";
    }
    """)
  end

  @doc "Accepts connections on a port of this host once it can read a line."
  @spec tcp(:inet.port_number()) :: [String.t()]
  def tcp(port) do
    script("""
    socket(my $socket, AF_INET, SOCK_STREAM, 0) or die;
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    <STDIN>;
    bind($socket, pack_sockaddr_in(#{port}, INADDR_LOOPBACK)) or die "$!";
    listen($socket, 5);
    sleep 1000;
    """)
  end

  @doc "Accepts connections on a socket in its directory once it can read a line."
  @spec unix(String.t()) :: [String.t()]
  def unix(name) do
    script("""
    socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die;
    bind($socket, pack_sockaddr_un("#{name}")) or die "$!";
    <STDIN>;
    listen($socket, 5);
    sleep 1000;
    """)
  end

  defp script(script), do: ["-MSocket", "-e", "$| = 1; " <> script]
end
