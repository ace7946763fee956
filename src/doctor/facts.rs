// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is known about this host and this process, and the parsers for it. All texts come from
//! `/proc` ([proc(5)](https://man7.org/linux/man-pages/man5/proc.5.html)); one that cannot be read is
//! empty.

use std::fs;
use std::path::Path;

use nix::unistd::{Uid, geteuid};

use crate::sys;
use crate::user::Accounts;

/// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`, the same in every kernel.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// The kind of host, which decides what mends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting {
    /// Docker, Podman, Kubernetes and the like.
    Container,
    /// Nerves.
    Nerves,
    /// Something that systemd runs.
    Systemd,
    /// Anything else.
    #[default]
    Plain,
}

impl Setting {
    /// As it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Nerves => "nerves",
            Self::Systemd => "systemd",
            Self::Plain => "plain",
        }
    }

    /// Looks for what each kind is known by. `container` is what the environment variable of that
    /// name says, and `pid_namespace` where the link leads.
    fn detect(root: &Path, container: bool, pid_namespace: Option<&Path>) -> Self {
        let has = |path: &str| root.join(path).exists();
        // An image of a container may also be booted: what is in it is the weaker evidence.
        let elsewhere = match pid_namespace {
            Some(namespace) => namespace != Path::new(INITIAL_PID_NAMESPACE),
            None => has(".dockerenv") || has("run/.containerenv"),
        };
        if has("etc/erlinit.config") {
            Self::Nerves
        } else if has("run/systemd/system") {
            Self::Systemd
        } else if container || elsewhere {
            Self::Container
        } else {
            Self::Plain
        }
    }
}

/// What was found.
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether this is Linux.
    pub linux: bool,
    /// `/proc/sys/kernel/osrelease`
    pub release: String,
    /// The effective user id.
    pub uid: u32,
    /// Its name.
    pub user: String,
    /// `/proc/self/status`
    pub status: String,
    /// `/proc/self/uid_map`
    pub uid_map: String,
    /// `/proc/self/setgroups`
    pub setgroups: String,
    /// `/proc/self/mountinfo`
    pub mountinfo: String,
    /// `/proc/cgroups`
    pub proc_cgroups: String,
    /// `/proc/filesystems`
    pub filesystems: String,
    /// The kind of host.
    pub setting: Setting,
    /// Whether `/proc` shows this process under its own id, as it must to find its children.
    pub proc_is_ours: bool,
    /// Why this process cannot become a subreaper.
    pub subreaper: Option<String>,
    /// Why a parent-death signal cannot be set.
    pub death_signal: Option<String>,
    /// Whether `close_range(2)` works.
    pub close_range: bool,
    /// Whether `pidfd_open(2)` works.
    pub pidfd: bool,
}

impl Facts {
    /// Looks, and tries what a process can try on itself.
    pub fn gather() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let uid = geteuid();
        let own_link = fs::read_link("/proc/self").unwrap_or_default();
        Self {
            linux: cfg!(target_os = "linux"),
            release: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            uid: uid.as_raw(),
            user: user_name(uid),
            status: text("/proc/self/status"),
            uid_map: text("/proc/self/uid_map"),
            setgroups: text("/proc/self/setgroups"),
            mountinfo: text("/proc/self/mountinfo"),
            proc_cgroups: text("/proc/cgroups"),
            filesystems: text("/proc/filesystems"),
            setting: Setting::detect(
                Path::new("/"),
                std::env::var_os("container").is_some(),
                fs::read_link("/proc/self/ns/pid").ok().as_deref(),
            ),
            proc_is_ours: own_link.as_os_str() == std::process::id().to_string().as_str(),
            subreaper: sys::become_subreaper().err().map(|error| error.to_string()),
            death_signal: try_death_signal(),
            close_range: sys::has_close_range(),
            pidfd: sys::has_pidfd(),
        }
    }

    /// Version and patch level of the kernel.
    pub fn kernel(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.split(['.', '-']);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Whether it is certainly older than this.
    pub fn older_than(&self, version: (u32, u32)) -> bool {
        self.kernel().is_some_and(|kernel| kernel < version)
    }

    /// The value of one line of `/proc/self/status`.
    fn status_of(&self, key: &str) -> Option<&str> {
        self.status.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == key).then(|| value.trim())
        })
    }

    /// Whether a capability is effective, by its number in
    /// [capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html). Where nobody
    /// says so, root has all.
    pub fn has_capability(&self, number: u32) -> bool {
        let set = self.status_of("CapEff");
        match set.and_then(|text| u64::from_str_radix(text, 16).ok()) {
            Some(set) => set >> number & 1 == 1,
            None => self.uid == 0,
        }
    }

    /// Whether there are ambient capabilities, which every program inherits.
    pub fn has_ambient(&self) -> bool {
        self.status_of("CapAmb")
            .is_some_and(|text| text.bytes().any(|digit| digit != b'0'))
    }

    /// Whether setuid programs such as sudo are without effect.
    pub fn no_new_privileges(&self) -> bool {
        self.status_of("NoNewPrivs") == Some("1")
    }

    /// How many user ids this user namespace has; nothing when it has all of them.
    pub fn mapped_users(&self) -> Option<u64> {
        let counts = self.uid_map.lines().filter_map(|line| {
            let count = line.split_whitespace().nth(2)?;
            count.parse::<u64>().ok()
        });
        let count = counts.sum();
        (count > 0 && count < u64::from(u32::MAX)).then_some(count)
    }

    /// The `hidepid` option of `/proc`, unless it is off.
    pub fn hidepid(&self) -> Option<&str> {
        let mount = self.mountinfo.lines().rfind(|line| {
            let kind = line.split_once(" - ").map(|(_, after)| after);
            line.split(' ').nth(4) == Some("/proc")
                && kind.is_some_and(|kind| kind.starts_with("proc "))
        })?;
        let options = mount.rsplit(' ').next()?.split(',');
        let mut values = options.filter_map(|option| option.strip_prefix("hidepid="));
        values.find(|value| !matches!(*value, "0" | "off"))
    }

    /// What `/proc/cgroups` says of a controller.
    pub fn controller(&self, name: &str) -> Option<Listed> {
        self.proc_cgroups.lines().find_map(|line| {
            let mut fields = line.split_whitespace();
            if fields.next()? != name {
                return None;
            }
            let hierarchy = fields.next()?;
            Some(Listed {
                on_v1: hierarchy != "0",
                enabled: fields.nth(1)? == "1",
            })
        })
    }

    /// Whether the kernel has a file system.
    pub fn has_filesystem(&self, name: &str) -> bool {
        let names = self.filesystems.lines();
        names
            .filter_map(|line| line.split_whitespace().last())
            .any(|known| known == name)
    }
}

/// One line of `/proc/cgroups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whether some v1 hierarchy has it.
    pub on_v1: bool,
    /// Whether it was not turned off at boot.
    pub enabled: bool,
}

/// The number, where nobody knows the name.
fn user_name(uid: Uid) -> String {
    match Accounts::of_this_system(&crate::wait::Undisturbed).user_by_id(uid.as_raw()) {
        Ok(Some(user)) => user.name.to_string_lossy().into_owned(),
        _ => uid.to_string(),
    }
}

/// Sets it for this process, and clears it again.
fn try_death_signal() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::{prctl, signal::Signal};
        let tried = prctl::set_pdeathsig(Signal::SIGKILL).and_then(|()| prctl::set_pdeathsig(None));
        tried.err().map(|errno| errno.to_string())
    }
    #[cfg(not(target_os = "linux"))]
    Some("there is none on this system".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_status(status: &str) -> Facts {
        Facts {
            status: status.to_owned(),
            ..Facts::default()
        }
    }

    #[test]
    fn kernels() {
        let release = |text: &str| Facts {
            release: text.to_owned(),
            ..Facts::default()
        };
        assert_eq!(release("6.18.44-fc").kernel(), Some((6, 18)));
        assert_eq!(release("5.10-rc1").kernel(), Some((5, 10)));
        assert_eq!(release("").kernel(), None);
        assert!(release("5.4.0").older_than((5, 14)));
        assert!(!release("5.14.0").older_than((5, 14)));
        assert!(!release("?").older_than((5, 14)));
    }

    #[test]
    fn capabilities() {
        let root = with_status("Name:\tx\nCapEff:\t00000000000000c0\nCapAmb:\t0000000000000000\n");
        assert!(root.has_capability(6) && root.has_capability(7));
        assert!(!root.has_capability(5) && !root.has_ambient());
        assert!(with_status("CapAmb:\t0000000000000080\n").has_ambient());
        assert!(with_status("NoNewPrivs:\t1\n").no_new_privileges());
        assert!(
            with_status("").has_capability(7),
            "root, and no word of less"
        );
    }

    #[test]
    fn user_namespaces() {
        let map = |text: &str| {
            Facts {
                uid_map: text.to_owned(),
                ..Facts::default()
            }
            .mapped_users()
        };
        assert_eq!(map("         0          0 4294967295\n"), None);
        assert_eq!(map(""), None);
        assert_eq!(map("0 1000 1\n"), Some(1));
        assert_eq!(map("0 1000 1\n1 100000 65536\n"), Some(65537));
    }

    #[test]
    fn hidden_processes() {
        let mounts = |options: &str| Facts {
            mountinfo: format!(
                "1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /proc rw,nosuid - proc proc {options}\n"
            ),
            ..Facts::default()
        };
        assert_eq!(mounts("rw").hidepid(), None);
        assert_eq!(mounts("rw,hidepid=off").hidepid(), None);
        assert_eq!(
            mounts("rw,gid=4,hidepid=invisible").hidepid(),
            Some("invisible")
        );
        assert_eq!(Facts::default().hidepid(), None);
    }

    #[test]
    fn the_kernels_list_of_controllers() {
        let facts = Facts {
            proc_cgroups: "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
                           cpu\t3\t1\t1\nmemory\t0\t1\t0\n"
                .to_owned(),
            filesystems: "nodev\tcgroup2\n\text4\n".to_owned(),
            ..Facts::default()
        };
        let listed = |on_v1, enabled| Some(Listed { on_v1, enabled });
        assert_eq!(facts.controller("cpu"), listed(true, true));
        assert_eq!(facts.controller("memory"), listed(false, false));
        assert_eq!(facts.controller("io"), None);
        assert!(facts.has_filesystem("cgroup2") && facts.has_filesystem("ext4"));
        assert!(!facts.has_filesystem("cgroup"));
    }

    #[test]
    fn kinds_of_hosts() {
        let root = tempfile::tempdir().expect("a folder");
        let file = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            fs::write(path, "").expect("file");
        };
        let detect = |variable, namespace: Option<&str>| {
            Setting::detect(root.path(), variable, namespace.map(Path::new))
        };
        let (initial, other) = (Some(INITIAL_PID_NAMESPACE), Some("pid:[4026532001]"));
        assert_eq!(detect(false, initial), Setting::Plain);
        assert_eq!(detect(false, other), Setting::Container);
        assert_eq!(detect(true, initial), Setting::Container);
        assert_eq!(detect(false, None), Setting::Plain);
        file(".dockerenv");
        assert_eq!(detect(false, None), Setting::Container);
        assert_eq!(detect(false, initial), Setting::Plain);
        file("run/systemd/system/x");
        assert_eq!(detect(false, other), Setting::Systemd);
        file("etc/erlinit.config");
        assert_eq!(detect(false, initial), Setting::Nerves);
    }
}
