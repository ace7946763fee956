// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Who the program runs as: names and ids looked up, root's groups never kept by accident.

use crate::config::number;
use crate::error::{Failure, Step};
use nix::unistd::{self, Gid, Group, Uid, User};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;

/// The group of a uid that no user has: 65534, the kernel's overflow gid (`nogroup`, `nobody`).
const NO_GROUP: u32 = 65_534;

/// What was asked for, each an id or a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `--uid`
    pub uid: Option<String>,
    /// `--gid`
    pub gid: Option<String>,
    /// `--groups`
    pub groups: Option<String>,
}

/// What the program's process has to switch to, in the order groups, gid, uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// Real, effective and saved gid.
    pub gid: Option<u32>,
    /// Real, effective and saved uid.
    pub uid: Option<u32>,
}

impl Request {
    /// Looks up names and fills in what follows from the user.
    pub fn resolve(&self) -> Result<Identity, Failure> {
        let user = self.uid.as_deref().map(find_user).transpose()?;
        let gid = self.gid.as_deref().map(|g| find_group(Step::Gid, "gid", g));
        let gid = gid.transpose()?;
        let groups = self.groups.as_deref().map(find_groups).transpose()?;
        let chosen = (gid.is_some(), groups.is_some());
        let Some((uid, entry)) = user else {
            return Ok(Identity {
                groups,
                gid,
                uid: None,
            });
        };
        let gid = match (gid, &entry) {
            (Some(gid), _) => gid,
            (None, Some(user)) => own_group(user)?,
            (None, None) => NO_GROUP,
        };
        let groups = match (groups, &entry) {
            (Some(groups), _) => groups,
            (None, Some(user)) => own_groups(user, gid)?,
            (None, None) => Vec::new(),
        };
        let identity = Identity {
            groups: Some(groups),
            gid: Some(gid),
            uid: Some(uid),
        };
        identity.without_needless_switches(chosen)
    }
}

impl Identity {
    /// A user who asks to stay himself needs no permission for it, unless he `chose` another group
    /// or other supplementary groups.
    fn without_needless_switches(self, chosen: (bool, bool)) -> Result<Self, Failure> {
        let (current, effective) = (Uid::current(), Uid::effective());
        let same = self.uid == Some(current.as_raw()) && current == effective;
        if !same || effective.is_root() {
            return Ok(self);
        }
        let (chose_gid, chose_groups) = chosen;
        let own_gid = (Gid::current().as_raw(), Gid::effective().as_raw());
        let own_groups = own_groups_now()?;
        let gid = self.gid.filter(|_| chose_gid);
        let groups = self.groups.filter(|_| chose_groups);
        Ok(Self {
            gid: gid.filter(|&gid| own_gid != (gid, gid)),
            groups: groups.filter(|groups| BTreeSet::from_iter(groups.clone()) != own_groups),
            uid: None,
        })
    }
}

/// The supplementary groups of this process.
fn own_groups_now() -> Result<BTreeSet<u32>, Failure> {
    let groups = unistd::getgroups().map_err(|errno| {
        Failure::new(Step::Groups, "cannot find this process's groups").errno(errno as i32)
    })?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

fn lookup_failed(step: Step, name: &str, errno: nix::Error) -> Failure {
    Failure::new(step, format!("cannot look up {name:?}"))
        .path(name)
        .errno(errno as i32)
}

/// An id, when the text is made of digits; `None` when it is a name.
fn id(step: Step, flag: &str, text: &str) -> Result<Option<u32>, Failure> {
    let bad = |why: &str| {
        let message = format!("--{flag} cannot be {text:?}: {why}");
        Err(Failure::new(step, message).path(text))
    };
    let looks_like_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c));
    if text.is_empty() {
        return bad("it is empty");
    }
    if text.contains('\0') {
        return bad("it has a null byte in it");
    }
    if text.trim() != text {
        return bad("it begins or ends with white space");
    }
    if !looks_like_number {
        return Ok(None);
    }
    match number(text) {
        Some(0) => bad("0 is root's, which is never switched to"),
        // u32::MAX means "unchanged" to setresuid(2), and is never anybody's id.
        Some(id) if id < u32::MAX => Ok(Some(id)),
        _ => bad("an id is a plain decimal number from 1 to 4294967294"),
    }
}

fn find_user(text: &str) -> Result<(u32, Option<User>), Failure> {
    match id(Step::Uid, "uid", text)? {
        Some(uid) => User::from_uid(Uid::from_raw(uid))
            .map(|user| (uid, user))
            .map_err(|errno| lookup_failed(Step::Uid, text, errno)),
        None => match User::from_name(text) {
            Ok(Some(user)) if user.uid.is_root() => Err(Failure::new(
                Step::Uid,
                format!("--uid cannot be {text:?}: that is root, which is never switched to"),
            )
            .path(text)),
            Ok(Some(user)) => Ok((user.uid.as_raw(), Some(user))),
            Ok(None) => Err(unknown(Step::Uid, "user", text)),
            Err(errno) => Err(lookup_failed(Step::Uid, text, errno)),
        },
    }
}

fn unknown(step: Step, what: &str, name: &str) -> Failure {
    Failure::new(step, format!("there is no {what} {name:?}"))
        .path(name)
        .advice(format!(
            "`getent {}` lists them",
            if what == "user" { "passwd" } else { "group" }
        ))
}

fn find_group(step: Step, flag: &str, text: &str) -> Result<u32, Failure> {
    if let Some(gid) = id(step, flag, text)? {
        return Ok(gid);
    }
    match Group::from_name(text) {
        Ok(Some(group)) if group.gid.as_raw() == 0 => Err(Failure::new(
            step,
            format!(
                "--{flag} cannot be {text:?}: that is root's group, which is never switched to"
            ),
        )
        .path(text)),
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(unknown(step, "group", text)),
        Err(errno) => Err(lookup_failed(step, text, errno)),
    }
}

fn find_groups(list: &str) -> Result<Vec<u32>, Failure> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|text| find_group(Step::Groups, "groups", text))
        .collect()
}

fn own_group(user: &User) -> Result<u32, Failure> {
    match user.gid.as_raw() {
        0 => Err(Failure::new(
            Step::Gid,
            format!(
                "the primary group of {:?} is root's, which is never switched to",
                user.name
            ),
        )
        .path(user.name.clone())
        .advice("name another group with --gid")),
        gid => Ok(gid),
    }
}

fn own_groups(user: &User, gid: u32) -> Result<Vec<u32>, Failure> {
    let failed = |message: String| Failure::new(Step::Groups, message).path(user.name.clone());
    let name = CString::new(user.name.as_str())
        .map_err(|_| failed(format!("the name {:?} has a null byte in it", user.name)))?;
    let groups = group_list(&name, Gid::from_raw(gid)).map_err(|error| {
        failed(format!("cannot find the groups of {:?}", user.name)).caused_by(&error)
    })?;
    if groups.contains(&0) {
        let message = format!(
            "{:?} is in root's group, which is never switched to",
            user.name
        );
        return Err(failed(message).advice("name the groups to use with --groups"));
    }
    Ok(groups)
}

fn group_list(name: &CString, gid: Gid) -> io::Result<Vec<u32>> {
    let groups = unistd::getgrouplist(name, gid)?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(uid: &str, gid: Option<&str>, groups: Option<&str>) -> Result<Identity, Failure> {
        Request {
            uid: Some(uid.to_owned()),
            gid: gid.map(str::to_owned),
            groups: groups.map(str::to_owned),
        }
        .resolve()
    }

    #[test]
    fn nothing_asked_nothing_switched() {
        assert_eq!(Request::default().resolve().unwrap(), Identity::default());
    }

    #[test]
    fn garbage_and_root_are_refused_everywhere() {
        let bad = [
            "0",
            "00",
            "root",
            "12x",
            "-1",
            "+1",
            " 1",
            "1 ",
            "01",
            "0x1",
            "4294967295",
            "4294967296",
            "",
            "no-such-name",
        ];
        for text in bad {
            assert!(resolve(text, None, None).is_err(), "uid {text:?}");
            assert!(resolve("12345", Some(text), None).is_err(), "gid {text:?}");
            if !text.is_empty() {
                assert!(
                    resolve("12345", None, Some(text)).is_err(),
                    "groups {text:?}"
                );
            }
            assert!(resolve("12345", None, Some(&format!("1,{text}"))).is_err());
        }
    }

    #[test]
    fn an_unknown_number_gets_no_groups() {
        let identity = resolve("12345", None, None).unwrap();
        assert_eq!(identity.uid, Some(12_345));
        assert_eq!(identity.gid, Some(NO_GROUP));
        assert_eq!(identity.groups, Some(Vec::new()));
    }

    #[test]
    fn name_and_number_of_a_user_mean_the_same() {
        let by_name = resolve("nobody", None, None).unwrap();
        let by_number = resolve(&by_name.uid.unwrap().to_string(), None, None).unwrap();
        assert_eq!(by_name, by_number);
        assert_eq!(by_name.groups, Some(vec![by_name.gid.unwrap()]));
    }

    #[test]
    fn explicit_groups_win() {
        let identity = resolve("nobody", Some("1"), Some("2,3")).unwrap();
        assert_eq!(identity.gid, Some(1));
        assert_eq!(identity.groups, Some(vec![2, 3]));
        assert_eq!(
            resolve("nobody", None, Some("")).unwrap().groups,
            Some(vec![])
        );
    }
}
