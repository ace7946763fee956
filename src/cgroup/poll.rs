// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Waiting for a condition that the kernel has no event for.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::wait::Wait;

const INTERVAL: Duration = Duration::from_millis(2);

/// Calls `attempt` until it breaks or the deadline has passed, and returns its last result.
///
/// # Errors
///
/// That of `wait`.
pub(super) fn poll_until<T, P>(
    deadline: Instant,
    wait: &dyn Wait,
    mut attempt: impl FnMut() -> ControlFlow<T, P>,
) -> io::Result<ControlFlow<T, P>> {
    loop {
        match attempt() {
            ControlFlow::Continue(_) if Instant::now() < deadline => wait.pause(INTERVAL)?,
            result => return Ok(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;

    use super::*;
    use crate::wait::Undisturbed;

    #[test]
    fn until_it_breaks_or_the_deadline_has_passed() {
        let mut count = 0;
        let mut attempt = |last| {
            count += 1;
            if count == last {
                ControlFlow::Break(count)
            } else {
                ControlFlow::Continue(count)
            }
        };
        let far = Instant::now() + Duration::from_secs(60);
        let third = poll_until(far, &Undisturbed, || attempt(3));
        assert_eq!(third.expect("no error"), ControlFlow::Break(3));
        let once = poll_until(Instant::now(), &Undisturbed, || attempt(0));
        assert_eq!(once.expect("no error"), ControlFlow::Continue(4));
    }

    #[test]
    fn a_wait_that_is_canceled_ends_it() {
        #[derive(Debug)]
        struct Canceled;
        impl Wait for Canceled {
            fn readable(&self, _: Option<BorrowedFd<'_>>, _: Duration) -> io::Result<bool> {
                Err(io::Error::from_raw_os_error(libc::ECANCELED))
            }
        }
        let far = Instant::now() + Duration::from_secs(60);
        let result = poll_until(far, &Canceled, || ControlFlow::<(), ()>::Continue(()));
        let error = result.expect_err("canceled");
        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
    }
}
