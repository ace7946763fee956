// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The framed protocol from the owner's side, written after `docs/protocol.md`.

pub const PROTOCOL: u16 = 2;

/// A frame from the helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Started {
        session: i32,
        program: i32,
        start_time: u64,
        cgroups: Vec<(String, String)>,
    },
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Notify(Vec<u8>),
    InputAck {
        written: u32,
        dropped: u32,
    },
    Exited(Report),
    Failed(Failed),
    AckedByReading,
}

/// The payload of EXITED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub how: u8,
    pub code: u8,
    pub flags: u8,
    pub user_us: u64,
    pub system_us: u64,
    pub peak_rss: u64,
    pub wall_us: u64,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub swept: u32,
    pub survivors: u32,
    pub cgroup_peak: u64,
}

impl Report {
    pub const STOPPED: u8 = 1 << 2;
    pub const NEEDED_SIGKILL: u8 = 1 << 3;

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The exit status that the helper has to have.
    pub fn status(&self) -> i32 {
        i32::from(self.code) + if self.how == 1 { 128 } else { 0 }
    }
}

/// The payload of FAILED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub status: u8,
    pub errno: i32,
    pub step: String,
    pub path: String,
    pub message: String,
    pub advice: String,
}

/// Takes a whole frame from the front of `bytes`, if there is one.
pub fn take(bytes: &mut Vec<u8>) -> Option<Frame> {
    let header: [u8; 4] = bytes.get(..4)?.try_into().unwrap();
    let end = 4 + u32::from_be_bytes(header) as usize;
    if bytes.len() < end {
        return None;
    }
    let rest = bytes.split_off(end);
    let whole = std::mem::replace(bytes, rest);
    Some(parse(whole[4], &whole[5..]))
}

pub fn parse(tag: u8, payload: &[u8]) -> Frame {
    let mut fields = Fields(payload);
    let frame = match tag {
        0x81 => Frame::Started {
            session: fields.pid(),
            program: fields.pid(),
            start_time: fields.u64(),
            cgroups: fields.pairs(),
        },
        0x82 => Frame::Stdout(fields.rest()),
        0x83 => Frame::Stderr(fields.rest()),
        0x8a => Frame::Notify(fields.rest()),
        0x84 => Frame::InputAck {
            written: fields.u32(),
            dropped: fields.u32(),
        },
        0x85 => Frame::Exited(Report {
            how: fields.u8(),
            code: fields.u8(),
            flags: fields.u8(),
            user_us: fields.u64(),
            system_us: fields.u64(),
            peak_rss: fields.u64(),
            wall_us: fields.u64(),
            stdout_bytes: fields.u64(),
            stderr_bytes: fields.u64(),
            swept: fields.u32(),
            survivors: fields.u32(),
            cgroup_peak: fields.u64(),
        }),
        0x86 => Frame::Failed(fields.failed()),
        0x8b => Frame::AckedByReading,
        _ => panic!("a frame with the unknown tag {tag:#x}"),
    };
    assert!(fields.0.is_empty(), "{frame:?} is longer than it says");
    frame
}

pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("a frame cut short");
        self.0 = rest;
        *field
    }

    pub fn failed(&mut self) -> Failed {
        Failed {
            status: self.u8(),
            errno: self.u32().try_into().unwrap(),
            step: self.text(),
            path: self.text(),
            message: self.text(),
            advice: self.text(),
        }
    }

    pub fn pairs(&mut self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        while !self.0.is_empty() {
            pairs.push((self.text(), self.text()));
        }
        pairs
    }

    pub fn pid(&mut self) -> i32 {
        self.u32().try_into().unwrap()
    }

    pub fn u8(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    pub fn text(&mut self) -> String {
        let length = u16::from_be_bytes(self.bytes());
        self.text_of(length.into())
    }

    pub fn long_text(&mut self) -> String {
        let length = u32::from_be_bytes(self.bytes());
        self.text_of(length as usize)
    }

    fn text_of(&mut self, length: usize) -> String {
        let (field, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(field.to_vec()).unwrap()
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}

/// A frame with any tag and payload.
pub fn frame(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len() + 1)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    bytes.push(tag);
    bytes.extend_from_slice(payload);
    bytes
}

/// A field of a payload.
pub fn field(number: u16, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap();
    [&number.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

pub fn number(field_number: u16, value: u32) -> Vec<u8> {
    field(field_number, &value.to_be_bytes())
}

pub fn hello(protocol: u16, token: &[u8]) -> Vec<u8> {
    frame(0x07, &[&protocol.to_be_bytes()[..], token].concat())
}

pub fn start(fields: &[u8]) -> Vec<u8> {
    frame(0x08, fields)
}

pub fn ack(bytes: u32) -> Vec<u8> {
    frame(0x01, &bytes.to_be_bytes())
}

pub fn signal(number: u8) -> Vec<u8> {
    frame(0x02, &[number])
}

pub fn stop() -> Vec<u8> {
    frame(0x03, &[])
}

pub fn input(bytes: &[u8]) -> Vec<u8> {
    frame(0x04, bytes)
}

pub fn input_eof() -> Vec<u8> {
    frame(0x05, &[])
}

pub fn resize(rows: u16, cols: u16) -> Vec<u8> {
    frame(0x10, &[rows.to_be_bytes(), cols.to_be_bytes()].concat())
}

pub fn notify_ack() -> Vec<u8> {
    frame(0x11, &[])
}

pub fn ack_by_reading() -> Vec<u8> {
    frame(0x12, &[])
}

pub fn discard() -> Vec<u8> {
    frame(0x06, &[])
}
