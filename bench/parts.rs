// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Benchmarks of the helper's pure functions: `cargo bench` in this folder.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use muontrap::parts;
use std::hint::black_box;

/// The number of ACK frames for a megabyte of output with a window of 10,240 bytes.
const ACKS: u32 = 100;

fn commands(c: &mut Criterion) {
    let ack = [0, 0, 0, 5, 1, 0, 0, 40, 0];
    let bytes = ack.repeat(ACKS as usize);
    let mut group = c.benchmark_group("commands");
    group.throughput(Throughput::Elements(ACKS.into()));
    group.bench_function("decode 100 acknowledgements", |b| {
        b.iter(|| parts::decode_commands(black_box(&bytes)));
    });
    group.finish();
}

fn output(c: &mut Criterion) {
    let mut group = c.benchmark_group("output");
    group.throughput(Throughput::Elements(ACKS.into()));
    group.bench_function("100 frames through the window", |b| {
        b.iter(|| parts::meter(ACKS, black_box(65_536)));
    });
    group.finish();
}

fn processes(c: &mut Criterion) {
    let line = "42 (a program) S 7 42 42 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 12345 2000000 200";
    c.bench_function("a line of the process table", |b| {
        b.iter(|| parts::parse_stat(black_box(line)))
    });
}

criterion_group!(parts_of_the_helper, commands, output, processes);
criterion_main!(parts_of_the_helper);
