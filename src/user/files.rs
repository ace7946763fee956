// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Parsing passwd(5), group(5) and nsswitch.conf(5).
//!
//! As in glibc, malformed lines are ignored, and so are lines that begin with `+` or `-`, which include entries of NIS.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An entry of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: OsString,
    pub uid: u32,
    pub gid: u32,
    /// The home directory, which may be empty.
    pub home: OsString,
    /// The shell, which may be empty.
    pub shell: OsString,
}

/// An entry of group(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    pub name: &'a OsStr,
    pub gid: u32,
    members: &'a [u8],
}

impl Group<'_> {
    /// Whether it lists the user of this name.
    pub fn has_member(&self, name: &OsStr) -> bool {
        let mut members = self.members.split(|&byte| byte == b',');
        members.any(|member| member.trim_ascii() == name.as_bytes())
    }
}

/// Parses passwd(5).
pub fn users(text: &[u8]) -> impl Iterator<Item = User> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let (name, _, uid, gid) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        let mut path = || {
            let field = fields.next().unwrap_or_default();
            OsString::from_vec(field.to_vec())
        };
        let (_comment, home, shell) = (path(), path(), path());
        Some(User {
            name: OsString::from_vec(entry_name(name)?.to_vec()),
            uid: id(uid)?,
            gid: id(gid)?,
            home,
            shell,
        })
    })
}

/// Parses group(5).
pub fn groups(text: &[u8]) -> impl Iterator<Item = Group<'_>> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Group {
            name: OsStr::from_bytes(entry_name(name)?),
            gid: id(gid)?,
            members: fields.next().unwrap_or_default(),
        })
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii_start);
    lines.filter(|line| !line.starts_with(b"#"))
}

fn entry_name(name: &[u8]) -> Option<&[u8]> {
    (!matches!(name.first(), None | Some(b'+' | b'-'))).then_some(name)
}

/// Parses an id. `u32::MAX` is none: it means "unchanged" to setresuid(2).
fn id(field: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(field).ok()?;
    let id = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok());
    id.flatten().filter(|&id| id != u32::MAX)
}

/// The order of the sources of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The file alone.
    FileOnly,
    /// The file, then others.
    FileFirst,
    /// Others first, or an order that only nsswitch.conf(5) as a whole defines.
    OthersFirst,
}

/// Parses the line of `database` in nsswitch.conf(5), if there is one.
pub fn order(nsswitch: &[u8], database: &str) -> Option<Order> {
    let line = lines(nsswitch).filter_map(|line| {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let colon = line.iter().position(|&byte| byte == b':')?;
        (line[..colon].trim_ascii() == database.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    });
    line.last()
        .map(|sources| match sources.strip_prefix(b"files") {
            None if sources.is_empty() => Order::FileOnly,
            None => Order::OthersFirst,
            Some(rest) => match (rest.first(), rest.trim_ascii_start().first()) {
                (None, _) => Order::FileOnly,
                // An action such as [SUCCESS=merge], or a longer word such as filesystem.
                (_, Some(b'[')) => Order::OthersFirst,
                (Some(byte), _) if !byte.is_ascii_whitespace() => Order::OthersFirst,
                _ => Order::FileFirst,
            },
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(name: &str, uid: u32, gid: u32) -> User {
        let name = name.into();
        let (home, shell) = (OsString::new(), OsString::new());
        User {
            name,
            uid,
            gid,
            home,
            shell,
        }
    }

    #[test]
    fn users_are_parsed() {
        let text = b"root:x:0:0:root:/root:/bin/sh\n\n# daemon:x:9:9:::\n  www:x:33:034:a,b:/:\nshort:x:1:2\nlast::4294967294:5::";
        let all: Vec<_> = users(text).collect();
        assert_eq!(
            (&*all[0].home, &*all[0].shell),
            ("/root".as_ref(), "/bin/sh".as_ref())
        );
        assert_eq!((&*all[1].home, &*all[1].shell), ("/".as_ref(), "".as_ref()));
        let found = all
            .iter()
            .map(|it| user(it.name.to_str().unwrap(), it.uid, it.gid));
        let found: Vec<_> = found.collect();
        let expected = [
            user("root", 0, 0),
            user("www", 33, 34),
            user("short", 1, 2),
            user("last", 4_294_967_294, 5),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn malformed_lines_are_ignored() {
        for line in [
            "",
            ":",
            "a:x:1",
            "a:x::1:::",
            "a:x:1:::",
            "a:x:-1:1:::",
            "a:x:+1:1:::",
            "a:x: 1:1:::",
            "a:x:1x:1:::",
            "a:x:4294967295:1:::",
            "a:x:1:4294967295:::",
            "a:x:4294967296:1:::",
            ":x:1:1:::",
            "+:::::",
            "+a:x:1:1:::",
            "-a:x:1:1:::",
        ] {
            assert_eq!(users(line.as_bytes()).next(), None, "{line:?}");
        }
    }

    #[test]
    fn names_need_not_be_utf8() {
        let found = users(b"\xff:x:1:1:\xfe:::").next().unwrap();
        assert_eq!(found.name.as_bytes(), b"\xff");
    }

    #[test]
    fn groups_are_parsed_with_their_members() {
        let text = b"root:x:0:\nadm:*:4:alice, bob\nnone:x:5\n+:x:6:alice\nbad:x:y:alice\n";
        let found: Vec<_> = groups(text)
            .map(|group| (group.name.to_str().unwrap(), group.gid))
            .collect();
        assert_eq!(found, [("root", 0), ("adm", 4), ("none", 5)]);
        let of = |name: &str| -> Vec<_> {
            let groups = groups(text).filter(|group| group.has_member(name.as_ref()));
            groups.map(|group| group.gid).collect()
        };
        assert_eq!(
            (of("alice"), of("bob"), of("al"), of("")),
            (vec![4], vec![4], vec![], vec![0, 5])
        );
    }

    #[test]
    fn orders() {
        for (sources, expected) in [
            ("files", Order::FileOnly),
            ("", Order::FileOnly),
            ("\tfiles # systemd", Order::FileOnly),
            ("files systemd", Order::FileFirst),
            ("files\tsss ldap", Order::FileFirst),
            ("sss files", Order::OthersFirst),
            ("compat", Order::OthersFirst),
            ("filesystem", Order::OthersFirst),
            ("files [SUCCESS=merge] systemd", Order::OthersFirst),
            ("files[NOTFOUND=return] sss", Order::OthersFirst),
        ] {
            let text = format!("# passwd: x\npasswd_compat: nis\npasswd: {sources}\ngroup: sss\n");
            assert_eq!(
                order(text.as_bytes(), "passwd"),
                Some(expected),
                "{sources:?}"
            );
            assert_eq!(order(text.as_bytes(), "group"), Some(Order::OthersFirst));
            assert_eq!(order(text.as_bytes(), "initgroups"), None);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: Vec<u8>) {
            for user in users(&text) {
                prop_assert!(user.uid != u32::MAX && user.gid != u32::MAX && !user.name.is_empty());
            }
            for group in groups(&text) {
                prop_assert!(group.gid != u32::MAX && !group.name.is_empty());
            }
            order(&text, "passwd");
        }

        #[test]
        fn entries_are_found_among_others(
            before in "([ -~]{0,20}\n){0,3}",
            name in "[a-z_][a-z0-9_.-]{0,20}",
            (uid, gid) in (0..u32::MAX, 0..u32::MAX),
            after in "[ -~\n]{0,40}",
        ) {
            let passwd = format!("{before}{name}:x:{uid}:{gid}:,:/:/bin/sh\n{after}");
            let expected = User {
                home: "/".into(),
                shell: "/bin/sh".into(),
                ..user(&name, uid, gid)
            };
            prop_assert!(users(passwd.as_bytes()).any(|found| found == expected));
            let group = format!("{before}g:x:{gid}:x,{name}\n{after}");
            prop_assert!(groups(group.as_bytes()).any(|found| found.gid == gid && found.has_member(name.as_ref())));
        }
    }
}
