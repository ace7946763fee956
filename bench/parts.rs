// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Benchmarks of the helper's pure functions: `cargo bench` in this folder.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use muontrap::cli;
use muontrap::process::proc_table::parse_stat;
use muontrap::stream::window::Window;
use muontrap::wire::frame::{self, Decoder, OutputStream};
use std::ffi::OsString;
use std::hint::black_box;

/// The number of ACK frames for a megabyte of output with a window of 10,240 bytes.
const ACKS: u32 = 100;

fn commands(c: &mut Criterion) {
    let ack = [0, 0, 0, 5, 1, 0, 0, 40, 0];
    let bytes = ack.repeat(ACKS as usize);
    let mut group = c.benchmark_group("commands");
    group.throughput(Throughput::Elements(ACKS.into()));
    group.bench_function("decode 100 acknowledgements", |b| {
        b.iter_batched(
            Decoder::default,
            |mut decoder| {
                decoder.push(black_box(&bytes));
                while let Ok(Some(command)) = decoder.next_command() {
                    black_box(command);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn output(c: &mut Criterion) {
    c.bench_function("a frame through the window", |b| {
        let mut window = Window::new(10_240);
        b.iter(|| {
            let bytes = window.grant(black_box(65_536));
            window.sent(bytes);
            black_box(frame::data_header(OutputStream::Stdout, bytes));
            window.acked(bytes).expect("they are in flight");
        });
    });
}

fn flags(c: &mut Criterion) {
    let line = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let lines = [
        (
            "plain",
            line(&[
                "muontrap",
                "--framed",
                "--delay-to-sigkill=500",
                "--stdio-window=10240",
                "--",
                "true",
            ]),
        ),
        (
            "short",
            line(&[
                "muontrap", "--framed", "-k", "500", "-l", "10240", "--", "true",
            ]),
        ),
    ];
    for (name, line) in lines {
        c.bench_function(&format!("a command line with {name} flags"), |b| {
            b.iter_batched(
                || line.clone(),
                |line| cli::parse(line).expect("it is good"),
                BatchSize::SmallInput,
            );
        });
    }
}

fn processes(c: &mut Criterion) {
    let line = "42 (a program) S 7 42 42 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 12345 2000000 200";
    c.bench_function("a line of the process table", |b| {
        b.iter(|| parse_stat(black_box(line)))
    });
}

criterion_group!(parts, commands, output, flags, processes);
criterion_main!(parts);
