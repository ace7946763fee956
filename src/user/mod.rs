// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The user and groups of the program: from names and ids to credentials.

mod accounts;
mod files;
mod getent;
mod login;

pub use accounts::Accounts;
pub use login::LOGIN_VARIABLES;

use crate::error::{Failure, Step};
use crate::number::parse_decimal;
use crate::process::credentials::Credentials;
use crate::sys;
use crate::wait::Wait;
use files::User;
use nix::unistd::{Gid, Uid};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;

/// The group of a uid without a user: the kernel's overflow gid (`nogroup`, `nobody`).
const OVERFLOW_GID: u32 = 65_534;

/// The requested user and groups, each a name or an id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub uid: Option<String>,
    pub gid: Option<String>,
    /// Supplementary groups, separated by commas.
    pub groups: Option<String>,
    /// Which of [`LOGIN_VARIABLES`] the program gets.
    pub login: Vec<&'static str>,
    /// What precedes `uid`, `gid` and `groups` in messages: `--` for the flags of a command line.
    pub prefix: &'static str,
}

/// What the request came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub credentials: Credentials,
    /// `NAME=value`
    pub login: Vec<CString>,
}

impl Request {
    fn is_empty(&self) -> bool {
        self.uid.is_none() && self.gid.is_none() && self.groups.is_none()
    }

    fn name(&self, step: Step) -> String {
        format!("{}{}", self.prefix, step.name())
    }

    /// Looks up the names, and the groups that follow from the user.
    pub fn resolve(&self, wait: &dyn Wait) -> Result<Identity, Failure> {
        if self.is_empty() {
            return Ok(Identity::default());
        }
        let accounts = Accounts::of_this_system(wait);
        let chosen = (self.gid.is_some(), self.groups.is_some());
        let id_only = chosen == (true, true) && self.login.is_empty();
        let find_user = |text: &String| self.find_user(&accounts, text, id_only);
        let user = self.uid.as_ref().map(find_user).transpose()?;
        let find_gid = |text: &String| self.find_group(&accounts, Step::Gid, text);
        let gid = self.gid.as_ref().map(find_gid).transpose()?;
        let find_groups = |list: &String| self.find_groups(&accounts, list);
        let groups = self.groups.as_ref().map(find_groups).transpose()?;
        let Some((uid, entry)) = user else {
            let credentials = Credentials {
                groups,
                gid,
                uid: None,
            };
            let login = Vec::new();
            return Ok(Identity { credentials, login });
        };
        let login = self.login_variables(uid, entry.as_ref())?;
        let gid = match (gid, &entry) {
            (Some(gid), _) => gid,
            (None, Some(user)) => self.own_group(user)?,
            (None, None) => OVERFLOW_GID,
        };
        let groups = match (groups, &entry) {
            (Some(groups), _) => groups,
            (None, Some(user)) => self.own_groups(&accounts, user, gid)?,
            (None, None) => Vec::new(),
        };
        let credentials = Credentials {
            groups: Some(groups),
            gid: Some(gid),
            uid: Some(uid),
        };
        let credentials = without_needless_switches(credentials, chosen)?;
        Ok(Identity { credentials, login })
    }

    fn login_variables(&self, uid: u32, entry: Option<&User>) -> Result<Vec<CString>, Failure> {
        match entry {
            Some(user) => Ok(login::variables(&self.login, user)),
            None if self.login.is_empty() => Ok(Vec::new()),
            None => {
                let names = self.login.join(", ");
                let message = format!("there is no user with the id {uid} to take {names} from");
                Err(Failure::new(Step::LoginEnv, message)
                    .path(uid.to_string())
                    .advice("`getent passwd` lists the users"))
            }
        }
    }
}

/// Switching to the current user is a no-op and needs no privilege, unless gid or groups were `chosen`, too, and
/// differ.
fn without_needless_switches(
    credentials: Credentials,
    chosen: (bool, bool),
) -> Result<Credentials, Failure> {
    let (current, effective) = (Uid::current(), Uid::effective());
    let same = credentials.uid == Some(current.as_raw()) && current == effective;
    if !same || effective.is_root() {
        return Ok(credentials);
    }
    let (chose_gid, chose_groups) = chosen;
    let own_gid = (Gid::current().as_raw(), Gid::effective().as_raw());
    let own_groups = own_groups_now()?;
    let gid = credentials.gid.filter(|_| chose_gid);
    let groups = credentials.groups.filter(|_| chose_groups);
    Ok(Credentials {
        gid: gid.filter(|&gid| own_gid != (gid, gid)),
        groups: groups.filter(|groups| BTreeSet::from_iter(groups.clone()) != own_groups),
        uid: None,
    })
}

/// The supplementary groups of this process.
fn own_groups_now() -> Result<BTreeSet<u32>, Failure> {
    let groups = sys::own_groups().map_err(|error| {
        Failure::new(Step::Groups, "cannot find this process's groups").caused_by(&error)
    })?;
    Ok(groups.into_iter().collect())
}

fn lookup_failed(step: Step, name: &str, error: &io::Error) -> Failure {
    let message = format!("cannot look up {name:?}");
    let message = match error.raw_os_error() {
        Some(_) => message,
        None => format!("{message}: {error}"),
    };
    Failure::new(step, message).path(name).caused_by(error)
}

fn unknown(step: Step, what: &str, name: &str) -> Failure {
    Failure::new(step, format!("there is no {what} {name:?}"))
        .path(name)
        .advice(format!(
            "`getent {}` lists them",
            if what == "user" { "passwd" } else { "group" }
        ))
}

impl Request {
    fn refused(&self, step: Step, text: &str, why: &str) -> Failure {
        let message = format!("{} cannot be {text:?}: {why}", self.name(step));
        Failure::new(step, message).path(text)
    }

    /// Parses an id; `None` for a name.
    fn id(&self, step: Step, text: &str) -> Result<Option<u32>, Failure> {
        let bad = |why: &str| Err(self.refused(step, text, why));
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
        match parse_decimal(text) {
            Some(0) => bad("0 is root's id, and muontrap never switches to root"),
            // u32::MAX means "unchanged" to setresuid(2).
            Some(id) if id < u32::MAX => Ok(Some(id)),
            _ => bad("an id is a plain decimal number from 1 to 4294967294"),
        }
    }

    /// Looks up a user. For an id, `id_only` saves the look-up.
    fn find_user(
        &self,
        accounts: &Accounts<'_>,
        text: &str,
        id_only: bool,
    ) -> Result<(u32, Option<User>), Failure> {
        let failed = |error: io::Error| lookup_failed(Step::Uid, text, &error);
        match self.id(Step::Uid, text)? {
            Some(uid) if id_only => Ok((uid, None)),
            Some(uid) => Ok((uid, accounts.user_by_id(uid).map_err(failed)?)),
            None => match accounts.user_by_name(text).map_err(failed)? {
                Some(user) if user.uid == 0 => {
                    let why = "it is root, and muontrap never switches to root";
                    Err(self.refused(Step::Uid, text, why))
                }
                Some(user) => Ok((user.uid, Some(user))),
                None => Err(unknown(Step::Uid, "user", text)),
            },
        }
    }

    fn find_group(&self, accounts: &Accounts<'_>, step: Step, text: &str) -> Result<u32, Failure> {
        if let Some(gid) = self.id(step, text)? {
            return Ok(gid);
        }
        match accounts.group_id(text) {
            Ok(Some(0)) => {
                let why = "it is root's group, and muontrap never switches to it";
                Err(self.refused(step, text, why))
            }
            Ok(Some(gid)) => Ok(gid),
            Ok(None) => Err(unknown(step, "group", text)),
            Err(error) => Err(lookup_failed(step, text, &error)),
        }
    }

    fn find_groups(&self, accounts: &Accounts<'_>, list: &str) -> Result<Vec<u32>, Failure> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        list.split(',')
            .map(|text| self.find_group(accounts, Step::Groups, text))
            .collect()
    }

    fn own_group(&self, user: &User) -> Result<u32, Failure> {
        if user.gid != 0 {
            return Ok(user.gid);
        }
        let message = format!(
            "the primary group of {:?} is root's group, and muontrap never switches to it",
            user.name
        );
        let advice = format!("name another group with {}", self.name(Step::Gid));
        Err(Failure::new(Step::Gid, message)
            .path(&user.name)
            .advice(advice))
    }

    /// `gid` and the groups that list the user as a member, without duplicates.
    fn own_groups(
        &self,
        accounts: &Accounts<'_>,
        user: &User,
        gid: u32,
    ) -> Result<Vec<u32>, Failure> {
        let name = &user.name;
        let mut groups = vec![gid];
        for group in accounts
            .groups_of(name)
            .map_err(|error| lookup_failed(Step::Groups, &name.to_string_lossy(), &error))?
        {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        if groups.contains(&0) {
            let message = format!("{name:?} is in root's group, and muontrap never switches to it");
            let advice = format!("name the groups to use with {}", self.name(Step::Groups));
            return Err(Failure::new(Step::Groups, message)
                .path(name)
                .advice(advice));
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Undisturbed;

    fn resolve(uid: &str, gid: Option<&str>, groups: Option<&str>) -> Result<Credentials, Failure> {
        Request {
            uid: Some(uid.to_owned()),
            gid: gid.map(str::to_owned),
            groups: groups.map(str::to_owned),
            ..Request::default()
        }
        .resolve(&Undisturbed)
        .map(|identity| identity.credentials)
    }

    #[test]
    fn nothing_changes_by_default() {
        assert_eq!(
            Request::default().resolve(&Undisturbed).unwrap(),
            Identity::default()
        );
    }

    #[test]
    fn a_login_needs_an_entry() {
        let login = |uid: &str| {
            let request = Request {
                uid: Some(uid.to_owned()),
                gid: Some("1".to_owned()),
                groups: Some(String::new()),
                login: vec!["USER"],
                prefix: "",
            };
            request.resolve(&Undisturbed).map(|identity| identity.login)
        };
        assert_eq!(login("nobody").unwrap(), [c"USER=nobody".to_owned()]);
        let failure = login("12345").unwrap_err();
        assert_eq!(failure.step, Step::LoginEnv);
        assert!(failure.message.contains("12345") && failure.message.contains("USER"));
    }

    #[test]
    fn root_and_malformed_ids_are_refused() {
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
    fn an_unknown_uid_gets_no_groups() {
        let credentials = resolve("12345", None, None).unwrap();
        assert_eq!(credentials.uid, Some(12_345));
        assert_eq!(credentials.gid, Some(OVERFLOW_GID));
        assert_eq!(credentials.groups, Some(Vec::new()));
    }

    #[test]
    fn names_and_ids_are_equivalent() {
        let by_name = resolve("nobody", None, None).unwrap();
        let by_number = resolve(&by_name.uid.unwrap().to_string(), None, None).unwrap();
        assert_eq!(by_name, by_number);
        assert_eq!(by_name.groups, Some(vec![by_name.gid.unwrap()]));
    }

    #[test]
    fn explicit_groups_win() {
        let credentials = resolve("nobody", Some("1"), Some("2,3")).unwrap();
        assert_eq!(credentials.gid, Some(1));
        assert_eq!(credentials.groups, Some(vec![2, 3]));
        assert_eq!(
            resolve("nobody", None, Some("")).unwrap().groups,
            Some(vec![])
        );
    }
}
