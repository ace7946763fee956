// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Datagrams with control messages: unix(7), recvmsg(2). That of nix does not give any of them when some were left out.

use crate::sys::ReceivedDatagram;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, bind, getsockname, setsockopt, socket, sockopt,
};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// The most descriptors that the kernel sends in one datagram.
const MOST_DESCRIPTORS: usize = 253;

/// Creates a socket in the abstract namespace, which tells the senders of datagrams, and returns its name.
pub fn bind_notify_socket() -> io::Result<(OwnedFd, Vec<u8>)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    setsockopt(&socket, sockopt::PassCred, &true)?;
    // The kernel chooses a name.
    bind(socket.as_raw_fd(), &UnixAddr::new_unnamed())?;
    let address: UnixAddr = getsockname(socket.as_raw_fd())?;
    let name = address.as_abstract().unwrap_or_default().to_owned();
    Ok((socket, name))
}

/// Receives a datagram, with its descriptors as close-on-exec.
#[allow(clippy::cast_ptr_alignment)] // Those are read as unaligned.
pub fn receive_datagram(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<ReceivedDatagram> {
    // Aligned as the headers are, and with room for the credentials, too.
    let mut control = [0_u64; MOST_DESCRIPTORS];
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all of it may be zero.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the message points to buffers that outlive the call.
    let length = unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut received = ReceivedDatagram {
        length: length.unsigned_abs(),
        truncated: message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0,
        sender: 0,
        descriptors: Vec::new(),
    };
    // SAFETY: the kernel has filled in whole control messages, and the macros stay inside them. Nobody else has the
    // descriptors.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(control) = header.as_ref() {
            let data = libc::CMSG_DATA(header);
            #[allow(clippy::unnecessary_cast)]
            let size = (control.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if size >= size_of::<libc::ucred>() => {
                    received.sender = data.cast::<libc::ucred>().read_unaligned().pid;
                }
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    for index in 0..size / size_of::<RawFd>() {
                        let fd = data.cast::<RawFd>().add(index).read_unaligned();
                        received.descriptors.push(OwnedFd::from_raw_fd(fd));
                    }
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok(received)
}
