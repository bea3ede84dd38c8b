//! Capabilities and the root user are given up before the first frame is decoded.
//!
//! Whatever a hostile packet makes of the decoder, it then runs as a user without any capability, in a process that can gain none, can
//! write to the directories of the run only, and can neither start programs nor open connections ([`confine`](super::confine)).
//! Capabilities and users are those of a thread (capabilities(7), credentials(7)): threads that are started later have those of the
//! thread that starts them, so rights are given up before there is a second one. On systems other than Linux there is nothing to give
//! up: there, rights go with the opened device.

use std::io;

/// Capabilities that the process keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Nothing.
    Nothing,
    /// Interfaces may have to be opened again.
    Reopening,
    /// Root reads credentials and runs the programs that give them, which are mostly another user's under sudo
    /// (`CAP_DAC_OVERRIDE`).
    Credentials,
}

/// A user to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

/// Whether this process is root's.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Always false: rights are given up on Linux only.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn is_root() -> bool {
    false
}

/// Gives up, for this thread and those it starts from now on, all capabilities but those needed and, with `user`, the identity of
/// root. Says whether it is another user now: in a container without the right to change users (`CAP_SETUID`), or that knows no
/// other user, root stays, without capabilities.
///
/// # Errors
/// When the system refuses; it has no reason to.
#[cfg(target_os = "linux")]
pub fn give_up(user: Option<User>, needed: Needed) -> io::Result<bool> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

    let kept = match needed {
        Needed::Nothing => CapabilitySet::empty(),
        Needed::Reopening => CapabilitySet::NET_RAW,
        Needed::Credentials => CapabilitySet::DAC_OVERRIDE,
    };
    for capability in CapabilitySet::all().difference(kept).iter() {
        // What programs could gain. Who is not root may not give that up, and no_new_privs says the same.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let is_changed = user.is_some_and(|user| become_user(user).is_ok());
    let now = capabilities(None)?;
    // Kernels before 4.3 have no ambient set.
    let _ = rustix::thread::clear_ambient_capability_set();
    let permitted = now.permitted & kept;
    set_capabilities(None, CapabilitySets { effective: permitted, permitted, inheritable: CapabilitySet::empty() })?;
    // Or root would get them all back for the programs it runs, such as one that a kubeconfig names for credentials.
    rustix::thread::set_no_new_privs(true)?;
    Ok(is_changed)
}

/// Becomes another user for good; the capabilities of this thread stay for now.
#[cfg(target_os = "linux")]
fn become_user(user: User) -> rustix::io::Result<()> {
    use rustix::process::{Gid, Uid};

    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_keep_capabilities(true)?;
    let changed = rustix::thread::set_thread_res_uid(uid, uid, uid);
    rustix::thread::set_keep_capabilities(false)?;
    changed
}

/// Nothing to do.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn give_up(_user: Option<User>, _needed: Needed) -> io::Result<bool> {
    Ok(false)
}

/// Does something in a thread of its own, with the rights of this user and no others. What it leaves behind is that user's.
///
/// # Errors
/// When the system refuses to give the rights up.
pub fn as_user<T: Send>(user: Option<User>, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            give_up(user, Needed::Nothing)?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
