// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Tests in a table: a module for each row with a test for each column.

/// `table!([column...] row...)`, where each column is a function of a row, and each row a function. Attributes of a row are
/// those of its tests.
macro_rules! table {
    ($columns:tt $($(#[$attribute:meta])* $row:ident)*) => {
        $(mod $row {
            $crate::table::row!($row $columns [$(#[$attribute])*]);
        })*
    };
}

macro_rules! row {
    ($row:ident [$($column:ident)*] $attributes:tt) => {
        $($crate::table::cell!($row $column $attributes);)*
    };
}

macro_rules! cell {
    ($row:ident $column:ident [$(#[$attribute:meta])*]) => {
        $(#[$attribute])*
        #[test]
        fn $column() {
            super::$column(super::$row);
        }
    };
}

pub(crate) use {cell, row, table};
