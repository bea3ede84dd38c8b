//! Landlock and seccomp rules that limit what the process can do after it has given up its capabilities.
//!
//! Two means, each of which is used as far as the kernel has it, and whose lack is reported:
//!
//! - Landlock (landlock(7), Linux 5.19): files can be written in the directories of the run only, and no TCP connection can be made
//!   (6.7), no process outside be signalled (6.12). Reading is left to the user's permissions. Linux 5.13 to 5.18 have a Landlock that
//!   forbids to move files between directories, by which policies are written: there it is not used.
//! - seccomp(2): no program can be started, no other process be looked into, no mount, namespace or kernel module be touched; once no
//!   interface has to be opened any more, no socket be made. Calls that are not allowed fail with EPERM.

use std::path::Path;

/// Protections that the kernel lacks, as sentences for the user; empty if all are in force.
pub(super) type Lacking = Vec<String>;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, Scope, path_beneath_rules,
    };
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    /// The newest Landlock whose rights are asked for; older ones give what they have.
    const NEWEST: ABI = ABI::V7;
    /// `EPERM`.
    const REFUSED: u32 = 1;

    /// System calls that injected code would use to reach other processes, files or the kernel.
    const NEVER: [i64; 26] = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_open_by_handle_at,
    ];
    /// Calls that only opening interfaces needs.
    const SOCKETS: [i64; 6] =
        [libc::SYS_socket, libc::SYS_socketpair, libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept4];

    /// Allows writing below these directories only.
    pub(in super::super) fn writing(directories: &[&Path]) -> Result<(), String> {
        match restrict(directories) {
            Ok(RulesetStatus::NotEnforced) => Err("this kernel has no Landlock of Linux 5.19".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("Landlock cannot be used: {error}")),
        }
    }

    fn restrict(directories: &[&Path]) -> Result<RulesetStatus, RulesetError> {
        let writing = AccessFs::from_write(NEWEST);
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
        // Not there, or too old.
        let Ok(ruleset) = ruleset else { return Ok(RulesetStatus::NotEnforced) };
        let ruleset = ruleset
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(writing)?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .add_rules(path_beneath_rules(directories, writing))?;
        Ok(ruleset.restrict_self()?.ruleset)
    }

    /// Refuses calls that are never needed.
    pub(in super::super) fn calls() -> Result<(), String> {
        refuse(&NEVER)
    }

    /// Refuses to make sockets.
    pub(in super::super) fn sockets() -> Result<(), String> {
        refuse(&SOCKETS)
    }

    fn refuse(calls: &[i64]) -> Result<(), String> {
        let failed = |error: &dyn std::error::Error| format!("seccomp cannot be used: {error}");
        let rules: BTreeMap<i64, Vec<_>> = calls.iter().map(|call| (*call, Vec::new())).collect();
        let architecture = std::env::consts::ARCH.try_into().map_err(|error| failed(&error))?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(REFUSED), architecture);
        let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(|error| failed(&error))?;
        seccompiler::apply_filter(&program).map_err(|error| failed(&error))
    }
}

/// Allows this thread, and those it starts from now on, to write below these directories only, and refuses calls that are never
/// needed.
#[cfg(target_os = "linux")]
pub(super) fn confine(directories: &[&Path]) -> Lacking {
    [linux::writing(directories), linux::calls()].into_iter().filter_map(Result::err).collect()
}

/// Refuses this thread, and those it starts from now on, to make sockets.
#[cfg(target_os = "linux")]
pub(super) fn without_sockets() -> Lacking {
    linux::sockets().err().into_iter().collect()
}

/// There is nothing of the kind.
#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_directories: &[&Path]) -> Lacking {
    Lacking::new()
}

/// There is nothing of the kind.
#[cfg(not(target_os = "linux"))]
pub(super) fn without_sockets() -> Lacking {
    Lacking::new()
}
