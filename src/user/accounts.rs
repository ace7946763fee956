// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! User and group lookup, by name and by id.
//!
//! Not by getpwnam(3) and similar functions: for those, glibc loads the modules that nsswitch.conf(5) names, which
//! crashes a statically linked program, and runs foreign code in any other. So the files are read here, and other
//! sources are queried by getent(1), if it is installed.

use super::files::{Order, User, groups, order, users};
use super::getent;
use crate::wait::Wait;
use std::ffi::{CStr, OsStr};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The user and group databases.
#[derive(Debug)]
pub struct Accounts<'a> {
    wait: &'a dyn Wait,
    etc: PathBuf,
    getent: Option<&'static CStr>,
}

impl<'a> Accounts<'a> {
    /// The databases of this host. `wait` is for getent.
    pub fn of_this_system(wait: &'a dyn Wait) -> Self {
        Self {
            wait,
            etc: PathBuf::from("/etc"),
            getent: getent::find(),
        }
    }

    /// Looks up a user by name.
    pub fn user_by_name(&self, name: &str) -> io::Result<Option<User>> {
        self.find("passwd", name.as_ref(), |text, is_output| {
            users(text).find(|user| is_output || user.name == name)
        })
    }

    /// Looks up a user by id.
    pub fn user_by_id(&self, uid: u32) -> io::Result<Option<User>> {
        self.find("passwd", uid.to_string().as_ref(), |text, _| {
            users(text).find(|user| user.uid == uid)
        })
    }

    /// Looks up a group by name.
    pub fn group_id(&self, name: &str) -> io::Result<Option<u32>> {
        self.find("group", name.as_ref(), |text, is_output| {
            let mut groups = groups(text).filter(|group| is_output || group.name == name);
            groups.next().map(|group| group.gid)
        })
    }

    /// The ids of all groups that list the user as a member, from all sources: getgrouplist(3).
    pub fn groups_of(&self, user: &OsStr) -> io::Result<Vec<u32>> {
        match (self.order(&["initgroups", "group"])?, self.getent) {
            (Order::FileOnly, _) | (_, None) => {
                let text = self.read("group")?;
                let groups = groups(&text).filter(|group| group.has_member(user));
                Ok(groups.map(|group| group.gid).collect())
            }
            (_, Some(getent)) => {
                parse_initgroups(&getent::query(getent, "initgroups", user, self.wait)?, user)
            }
        }
    }

    /// Searches an entry of `database` with `pick`, which takes the text of the file or the output of getent, and
    /// whether it is the latter. getent prints only the entry of `key`, but maybe under another name: some directory
    /// services ignore case.
    fn find<T>(
        &self,
        database: &str,
        key: &OsStr,
        pick: impl Fn(&[u8], bool) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let order = self.order(&[database])?;
        if order != Order::OthersFirst || self.getent.is_none() {
            let found = pick(&self.read(database)?, false);
            if found.is_some() || order == Order::FileOnly {
                return Ok(found);
            }
        }
        match self.getent {
            Some(getent) => Ok(pick(
                &getent::query(getent, database, key, self.wait)?,
                true,
            )),
            None => Ok(None),
        }
    }

    /// The order of the first of these databases that nsswitch.conf(5) configures.
    fn order(&self, databases: &[&str]) -> io::Result<Order> {
        let nsswitch = self.read("nsswitch.conf")?;
        let mut orders = databases
            .iter()
            .filter_map(|database| order(&nsswitch, database));
        Ok(orders.next().unwrap_or(Order::FileOnly))
    }

    /// Reads a file of `/etc`. A missing file is empty: small containers do not have it.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match fs::read(self.etc.join(Path::new(name))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            result => result,
        }
    }
}

/// Parses the output of `getent initgroups USER`, such as `nobody   1 2`.
fn parse_initgroups(output: &[u8], user: &OsStr) -> io::Result<Vec<u32>> {
    let numbers = output.strip_prefix(user.as_bytes()).unwrap_or_default();
    let ids = numbers
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    ids.map(|id| std::str::from_utf8(id).ok()?.parse().ok())
        .collect::<Option<_>>()
        .ok_or_else(|| {
            io::Error::other(format!(
                "unexpected output of getent: {:?}",
                String::from_utf8_lossy(output)
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Undisturbed;
    use tempfile::TempDir;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nnobody:x:10:20:::\nalice:x:1000:1000:::\n";
    const GROUP: &str = "root:x:0:\nusers:x:100:alice,nobody\nadm:x:4:alice\ndaemon:x:77:\n";

    fn etc(files: &[(&str, &str)]) -> TempDir {
        let etc = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(etc.path().join(name), text).unwrap();
        }
        etc
    }

    fn accounts(etc: &TempDir, getent: Option<&'static CStr>) -> Accounts<'static> {
        let etc = etc.path().to_owned();
        Accounts {
            wait: &Undisturbed,
            etc,
            getent,
        }
    }

    fn with_sources(sources: &str) -> TempDir {
        let nsswitch = format!("passwd: {sources}\ngroup: {sources}\n");
        etc(&[
            ("passwd", PASSWD),
            ("group", GROUP),
            ("nsswitch.conf", &nsswitch),
        ])
    }

    fn uid(user: io::Result<Option<User>>) -> Option<u32> {
        user.unwrap().map(|user| user.uid)
    }

    #[test]
    fn files_are_enough_without_other_sources() {
        let plain = etc(&[("passwd", PASSWD), ("group", GROUP)]);
        for (etc, getent) in [
            (&plain, getent::find()),
            (&with_sources("files"), getent::find()),
            (&with_sources("files systemd"), None),
            (&with_sources("sss files"), None),
        ] {
            let accounts = accounts(etc, getent);
            assert_eq!(uid(accounts.user_by_name("nobody")), Some(10));
            assert_eq!(uid(accounts.user_by_id(1000)), Some(1000));
            assert_eq!(accounts.group_id("daemon").unwrap(), Some(77));
            assert_eq!(accounts.groups_of("alice".as_ref()).unwrap(), [100, 4]);
            assert_eq!(accounts.groups_of("nobody".as_ref()).unwrap(), [100]);
            assert_eq!(accounts.groups_of("bob".as_ref()).unwrap(), []);
            assert_eq!(uid(accounts.user_by_name("bob")), None);
            assert_eq!(uid(accounts.user_by_id(65_534)), None);
            assert_eq!(accounts.group_id("bob").unwrap(), None);
        }
    }

    // getent prints entries of this host and not of these files.
    #[test]
    #[ignore = "needs getent"]
    fn getent_is_queried_after_the_files_or_instead() {
        let system = Accounts::of_this_system(&Undisturbed);
        let nobody = system.user_by_name("nobody").unwrap().unwrap();
        let after = with_sources("files systemd");
        let after = accounts(&after, getent::find());
        assert_eq!(uid(after.user_by_name("nobody")), Some(10));
        assert_eq!(
            after.user_by_id(nobody.uid).unwrap().as_ref(),
            Some(&nobody)
        );
        assert_eq!(uid(after.user_by_name("no-such-name")), None);
        assert_eq!(uid(after.user_by_id(12_345)), None);
        // Groups of all sources are merged, so the file is not read first.
        let groups = system.groups_of("nobody".as_ref()).unwrap();
        assert_eq!(after.groups_of("nobody".as_ref()).unwrap(), groups);

        let instead = with_sources("sss files");
        let instead = accounts(&instead, getent::find());
        assert_eq!(instead.user_by_name("nobody").unwrap(), Some(nobody));
        assert_eq!(
            uid(instead.user_by_name("alice")),
            uid(system.user_by_name("alice"))
        );
        let daemon = system.group_id("daemon").unwrap();
        assert_eq!(instead.group_id("daemon").unwrap(), daemon);
    }

    #[test]
    fn the_line_for_initgroups_decides_about_groups() {
        let etc = etc(&[
            ("group", GROUP),
            ("nsswitch.conf", "group: sss files\ninitgroups: files\n"),
        ]);
        let accounts = accounts(&etc, getent::find());
        assert_eq!(accounts.groups_of("alice".as_ref()).unwrap(), [100, 4]);
    }

    #[test]
    fn missing_files_are_empty() {
        let nowhere = etc(&[]);
        let accounts = accounts(&nowhere, None);
        assert_eq!(uid(accounts.user_by_name("root")), None);
        assert_eq!(uid(accounts.user_by_id(0)), None);
        assert_eq!(accounts.groups_of("root".as_ref()).unwrap(), []);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let odd = tempfile::tempdir().unwrap();
        fs::create_dir(odd.path().join("passwd")).unwrap();
        let error = accounts(&odd, None).user_by_name("root").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
    }

    #[test]
    fn initgroups_are_parsed() {
        let of = |output: &str, user: &str| parse_initgroups(output.as_bytes(), user.as_ref()).ok();
        let padded = "nobody               4 100 4294967294\n";
        assert_eq!(of(padded, "nobody"), Some(vec![4, 100, u32::MAX - 1]));
        assert_eq!(of("nobody               \n", "nobody"), Some(vec![]));
        assert_eq!(of("nobody 1 x\n", "nobody"), None);
        assert_eq!(of("a b 7 8\n", "a b"), Some(vec![7, 8]));
    }

    #[test]
    fn users_and_groups_of_this_host_are_those_of_the_c_library() {
        let Some(getent) = getent::find() else { return };
        let system = Accounts::of_this_system(&Undisturbed);
        let query = |database: &str, name: &OsStr| {
            getent::query(getent, database, name, &Undisturbed).unwrap()
        };
        for user in users(&fs::read("/etc/passwd").unwrap()) {
            let name = user.name.to_str().unwrap();
            let output = query("passwd", &user.name);
            let found = system.user_by_name(name).unwrap();
            assert_eq!(found, users(&output).next(), "{name}");
        }
        for group in groups(&fs::read("/etc/group").unwrap()) {
            let name = group.name.to_str().unwrap();
            let output = query("group", group.name);
            let expected = groups(&output).next().map(|group| group.gid);
            assert_eq!(system.group_id(name).unwrap(), expected, "{name}");
        }
    }
}
