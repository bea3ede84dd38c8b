//! Rights to capture, given up as soon as they are not needed any more.
//!
//! Whatever a hostile packet makes of the decoder, it then runs in a process that can do no more than its user. On systems other
//! than Linux there is nothing to give up: there, rights go with the opened device.

/// What may still be needed after the interfaces were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Nothing: `any` stays open whatever comes and goes.
    Nothing,
    /// Interfaces may have to be opened again.
    Reopening,
}

/// Gives up, for this thread and those it starts from now on, all capabilities (capabilities(7)) but those needed. Root goes on
/// writing files wherever root may (`CAP_DAC_OVERRIDE`): under sudo, results mostly go to another user's directory.
///
/// # Errors
/// When the system refuses; it has no reason to.
#[cfg(target_os = "linux")]
pub fn give_up(needed: Needed) -> std::io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities};

    let mut kept = CapabilitySet::empty();
    if needed == Needed::Reopening {
        kept |= CapabilitySet::NET_RAW;
    }
    if rustix::process::geteuid().is_root() {
        kept |= CapabilitySet::DAC_OVERRIDE;
    }
    let now = capabilities(None)?;
    // Kernels before 4.3 have no ambient set.
    let _ = clear_ambient_capability_set();
    let sets =
        CapabilitySets { effective: now.effective & kept, permitted: now.permitted & kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    // Or root would get them all back for the programs it runs, such as one that a kubeconfig names for credentials.
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Nothing to do.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn give_up(_needed: Needed) -> std::io::Result<()> {
    Ok(())
}
