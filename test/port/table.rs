// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Tests in a table: a module for each row with a test for each column.

/// `table!([column...] row...)`, where each column is a function of a row, and each row a function.
macro_rules! table {
    ($columns:tt $($row:ident)*) => {
        $(mod $row {
            $crate::table::row!($row $columns);
        })*
    };
}

macro_rules! row {
    ($row:ident [$($column:ident)*]) => {
        $(#[test]
        fn $column() {
            super::$column(super::$row);
        })*
    };
}

pub(crate) use {row, table};
