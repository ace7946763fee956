# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Label do
  @moduledoc false

  # Labels of processes, which observer, `:c.i/0` and crash reports show. OTP has them since 27.
  # Before that, processes started by :proc_lib are shown with the function that they began with.

  @doc "Labels the calling process."
  @spec set(term()) :: :ok
  def set(label) do
    if function_exported?(:proc_lib, :set_label, 1),
      do: apply(:proc_lib, :set_label, [label]),
      else: :ok
  end
end
