# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Error.Errno do
  @moduledoc false

  # The numbers below 35 are the same on Linux, macOS and the BSDs, except EAGAIN, which is 11 on
  # Linux; from 35 on they differ. Source: errno(3), and <errno.h> of each system.
  @common %{
    1 => :eperm,
    2 => :enoent,
    3 => :esrch,
    4 => :eintr,
    5 => :eio,
    6 => :enxio,
    7 => :e2big,
    8 => :enoexec,
    9 => :ebadf,
    10 => :echild,
    12 => :enomem,
    13 => :eacces,
    14 => :efault,
    16 => :ebusy,
    17 => :eexist,
    18 => :exdev,
    19 => :enodev,
    20 => :enotdir,
    21 => :eisdir,
    22 => :einval,
    23 => :enfile,
    24 => :emfile,
    25 => :enotty,
    26 => :etxtbsy,
    27 => :efbig,
    28 => :enospc,
    29 => :espipe,
    30 => :erofs,
    31 => :emlink,
    32 => :epipe,
    33 => :edom,
    34 => :erange
  }

  @linux Map.merge(@common, %{
           11 => :eagain,
           35 => :edeadlk,
           36 => :enametoolong,
           38 => :enosys,
           39 => :enotempty,
           40 => :eloop,
           95 => :eopnotsupp,
           110 => :etimedout,
           116 => :estale,
           122 => :edquot
         })

  @bsd Map.merge(@common, %{
         11 => :edeadlk,
         35 => :eagain,
         45 => :eopnotsupp,
         60 => :etimedout,
         62 => :eloop,
         63 => :enametoolong,
         66 => :enotempty,
         69 => :edquot,
         70 => :estale,
         78 => :enosys
       })

  @doc """
  The atom that Erlang uses for an errno, the number itself if it is unknown, and `nil` for 0, which
  means that no system call failed.
  """
  @spec name(non_neg_integer()) :: atom() | pos_integer() | nil
  def name(0), do: nil

  def name(number) do
    case :os.type() do
      {:unix, :linux} -> Map.get(@linux, number, number)
      _other -> Map.get(@bsd, number, number)
    end
  end

  # As in errno(3), in lower case. `:file.format_error/1` has other texts, such as "not owner".
  @texts %{
    e2big: "argument list too long",
    eacces: "permission denied",
    eagain: "resource temporarily unavailable",
    ebadf: "bad file descriptor",
    ebusy: "device or resource busy",
    echild: "no child processes",
    edeadlk: "resource deadlock avoided",
    edom: "numerical argument out of domain",
    edquot: "disk quota exceeded",
    eexist: "file exists",
    efault: "bad address",
    efbig: "file too large",
    eintr: "interrupted system call",
    einval: "invalid argument",
    eio: "input/output error",
    eisdir: "is a directory",
    eloop: "too many levels of symbolic links",
    emfile: "too many open files",
    emlink: "too many links",
    enametoolong: "file name too long",
    enfile: "too many open files in system",
    enodev: "no such device",
    enoent: "no such file or directory",
    enoexec: "exec format error",
    enomem: "cannot allocate memory",
    enospc: "no space left on device",
    enosys: "function not implemented",
    enotdir: "not a directory",
    enotempty: "directory not empty",
    enotty: "inappropriate ioctl for device",
    enxio: "no such device or address",
    eopnotsupp: "operation not supported",
    eperm: "operation not permitted",
    epipe: "broken pipe",
    erange: "numerical result out of range",
    erofs: "read-only file system",
    espipe: "illegal seek",
    esrch: "no such process",
    estale: "stale file handle",
    etimedout: "connection timed out",
    etxtbsy: "text file busy",
    exdev: "invalid cross-device link"
  }

  @doc "The description of an errno, and its name."
  @spec text(atom() | pos_integer()) :: String.t()
  def text(number) when is_integer(number), do: "errno #{number}"

  def text(name) do
    case @texts do
      %{^name => text} -> "#{text} (#{name})"
      _others -> Atom.to_string(name)
    end
  end
end
