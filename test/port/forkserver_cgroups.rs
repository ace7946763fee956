// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The CGROUP frames.

use crate::answer::Answer;
use crate::client::{Server, Session};
use crate::forkserver_endings::{FAMILY, only_these_are_alive, send};
use crate::frames::{PROTOCOL, field, frame, hello};
use crate::groups::Group;
use crate::processes::eventually;
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;

const GET: u8 = 0x09;
const SET: u8 = 0x0a;
const STATISTICS: u8 = 0x0b;
const CONFIG: u8 = 0x0c;
const CLEAN: u8 = 0x0d;

#[track_caller]
fn ask(session: &mut Session, tag: u8, fields: &[u8]) -> Answer {
    let payload = [&[0, 0, 0, 9], fields].concat();
    session.send(&frame(tag, &payload));
    session.next().unwrap()
}

#[track_caller]
fn values(session: &mut Session, tag: u8, fields: &[u8]) -> Vec<(String, String)> {
    match ask(session, tag, fields) {
        Answer::Reply(9, values) => values,
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs cgroups"]
fn a_cgroup_is_read_and_written_by_its_session_and_by_a_fresh_connection() {
    let group = Group::new("frames");
    let server = Server::start();
    let path = field(64, group.name.as_bytes());
    let fields = [
        path.clone(),
        field(66, b"pids.max=100"),
        field(65, b"memory"),
    ]
    .concat();
    let mut session = server.run(&["sleep", "1000"], &fields);
    let pids_max = |value: &str| vec![("pids.max".to_owned(), value.to_owned())];
    let file = field(67, b"pids.max");
    assert_eq!(values(&mut session, GET, &file), pids_max("100"));
    assert_eq!(values(&mut session, SET, &field(66, b"pids.max=50")), []);

    let mut fresh = server.connect();
    fresh.send(&hello(PROTOCOL, &server.token));
    let of_group = [path.clone(), file].concat();
    assert_eq!(values(&mut fresh, GET, &of_group), pids_max("50"));
    let config = values(&mut fresh, CONFIG, &path);
    assert!(config.contains(&pids_max("50")[0]), "{config:?}");
    let statistics = values(&mut fresh, STATISTICS, &path);
    assert!(
        statistics.iter().any(|(name, _)| name == "memory.current"),
        "{statistics:?}"
    );
    // A cgroup that a session uses is left alone.
    let whole = [path.clone(), field(65, b"memory"), field(66, b"pids.max=1")].concat();
    assert_eq!(values(&mut fresh, CLEAN, &whole), []);
    assert_eq!(values(&mut fresh, GET, &of_group), pids_max("50"));
    session.send(&crate::frames::stop());
    session.report();
    assert_eq!(
        values(&mut fresh, CLEAN, &whole),
        [("killed".to_owned(), "0".to_owned())]
    );
    match ask(&mut fresh, GET, &of_group) {
        Answer::Refused(9, failed) => assert_eq!(
            (failed.step.as_str(), failed.errno),
            ("cgroup", libc::ENOENT)
        ),
        other => panic!("{other:?}"),
    }
    // Then the session can still run a program.
    let start = fresh.start_frame(&["sh", "-c", "exit 4"], &[]);
    fresh.send(&start);
    fresh.read_started();
    assert_eq!(fresh.report().code, 4);
    drop((session, fresh));
    server.finish();
}

#[test]
#[ignore = "needs cgroups"]
fn a_fork_server_that_cannot_fork_says_so_and_goes_on() {
    let group = Group::new("fork");
    let mut server = Server::start();
    let fields = [field(64, group.name.as_bytes()), field(66, b"pids.max=100")].concat();
    let keeper = server.run(&["sleep", "1000"], &fields);
    let has_limit = |path: &PathBuf| path.join("pids.max").exists();
    let directory = group.directories().into_iter().find(has_limit).unwrap();
    let set = |file: &str, value: &str| fs::write(directory.join(file), value).unwrap();
    set("cgroup.procs", &server.pid.to_string());
    set("pids.max", "1");
    for _ in 0..10 {
        let failed = server.connect().failure();
        assert_eq!(
            (failed.step.as_str(), failed.errno),
            ("spawn", libc::EAGAIN)
        );
    }
    set("pids.max", "100");
    let mut session = server.run(&["sh", "-c", "exit 4"], &[]);
    assert_eq!(session.report().code, 4);
    assert_eq!(server.counts()[3], 2);
    // The keeper cannot remove a group with other processes in it.
    set("../cgroup.procs", &server.pid.to_string());
    set("../cgroup.procs", &session.pid.to_string());
    drop((session, keeper));
    server.finish();
    group.assert_removed();
}

#[test]
fn what_is_wrong_with_a_request_is_named() {
    let server = Server::start();
    let mut fresh = server.connect();
    fresh.send(&hello(PROTOCOL, &server.token));
    for (fields, path) in [
        (vec![], "cgroup_path"),
        (field(77, b""), "77"),
        (
            [field(64, b"a"), field(66, b"no-value")].concat(),
            "cgroup_set",
        ),
    ] {
        match ask(&mut fresh, SET, &fields) {
            Answer::Refused(9, failed) => assert_eq!(
                (failed.step.as_str(), failed.path.as_str()),
                ("options", path)
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
#[ignore = "needs cgroups"]
fn the_group_of_a_killed_session_is_removed() {
    for client_goes in [false, true] {
        let group = Group::new("session");
        let mut server = Server::start();
        let fields = [field(64, group.name.as_bytes()), field(66, b"pids.max=100")].concat();
        let mut session = server.run(&["sh", "-c", FAMILY], &fields);
        session.read_until("ready");
        let inside = std::fs::read_to_string(format!("/proc/{}/cgroup", session.program)).unwrap();
        assert!(inside.contains(&group.name), "{inside}");
        send(session.pid, Signal::SIGKILL);
        if client_goes {
            drop(session);
            server.finish();
        } else {
            assert_eq!(server.await_end(&session).0, 1);
            only_these_are_alive(&server.mark, &[server.pid]);
        }
        group.assert_removed();
    }
}

/// More than a socket for datagrams has room for, where the kernel limits their number.
#[test]
#[ignore = "needs cgroups"]
fn the_groups_of_many_killed_sessions_are_removed() {
    let groups: Vec<Group> = (0..24).map(|_| Group::new("many")).collect();
    let server = Server::start();
    let sessions = groups.iter().map(|group| {
        let path = field(64, group.name.as_bytes());
        server.run(&["sleep", "1000"], &path)
    });
    let sessions: Vec<Session> = sessions.collect();
    for session in &sessions {
        send(session.pid, Signal::SIGKILL);
    }
    drop(sessions);
    server.finish();
    groups.iter().for_each(Group::assert_removed);
}

/// Whether the fork server knows the mounted hierarchies.
fn knows_mounts(server: &Server) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", server.pid)).unwrap();
    let targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    targets.into_iter().any(|file| file.ends_with("mountinfo"))
}

#[test]
#[ignore = "needs cgroups and a mount namespace"]
fn mounts_are_remembered_until_one_changes() {
    let group = Group::new("mounts");
    let mut server = Server::start();
    let run = |server: &Server| {
        let mut session = server.run(&["true"], &field(64, group.name.as_bytes()));
        assert_eq!(session.report().code, 0);
    };
    assert!(!knows_mounts(&server));
    // Another test may mount something, too.
    eventually("the mounts are known", || {
        run(&server);
        knows_mounts(&server)
    });
    // With the death of a session, the notice of its group arrives, and the fork server looks at the mounts if it does not
    // know them.
    eventually("the sessions are gone", || {
        server.mark.alive_besides(&[server.pid]).is_empty()
    });
    server.counts();
    let directory = tempfile::tempdir().unwrap();
    let call = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        let status = command.args(arguments).arg(directory.path()).status();
        assert!(status.unwrap().success(), "{program}");
    };
    call("mount", &["-t", "tmpfs", "tmpfs"]);
    call("umount", &[]);
    eventually("they are forgotten", || !knows_mounts(&server));
    run(&server);
    server.finish();
}
