//! The interfaces that can be captured on, as libpcap sees them.
//!
//! In: nothing but the machine. Out: [`Interface`]s in libpcap's own order, those best to capture on first; never an empty list.
//! Listing needs no rights on Linux; elsewhere libpcap leaves out what may not be opened.

use std::net::IpAddr;

use ::pcap::Device;
use serde::Serialize;

use super::CaptureError;

/// A network interface, or a pseudo-interface such as `any`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name, unique on this machine.
    pub name: String,
    /// What libpcap says of it; most real interfaces have none.
    pub description: Option<String>,
    /// Its addresses, in the system's order.
    pub addresses: Vec<IpAddr>,
    /// Whether it is switched on.
    pub is_up: bool,
    /// Whether it has a carrier and can pass frames.
    pub is_running: bool,
    /// Whether what it sends never leaves the machine.
    pub is_loopback: bool,
}

impl From<Device> for Interface {
    fn from(device: Device) -> Self {
        Self {
            is_up: device.flags.is_up(),
            is_running: device.flags.is_running(),
            is_loopback: device.flags.is_loopback(),
            description: device.desc.filter(|text| !text.is_empty()),
            addresses: device.addresses.into_iter().map(|address| address.addr).collect(),
            name: device.name,
        }
    }
}

/// All interfaces of this machine (of this network namespace).
///
/// # Errors
///
/// libpcap cannot list them, or there is none.
pub fn interfaces() -> Result<Vec<Interface>, CaptureError> {
    let devices = Device::list().map_err(|source| CaptureError::Interfaces { source })?;
    if devices.is_empty() {
        return Err(CaptureError::NoInterfaces);
    }
    Ok(devices.into_iter().map(Interface::from).collect())
}

/// Whether libpcap was refused for want of rights; it tells by text only.
pub(super) fn is_refused(error: &::pcap::Error) -> bool {
    let text = error.to_string();
    ["Operation not permitted", "Permission denied", "permission"].iter().any(|refusal| text.contains(refusal))
}

#[cfg(test)]
mod tests {
    use ::pcap::{Address, ConnectionStatus, DeviceFlags, IfFlags};

    use super::*;

    fn device(flags: IfFlags) -> Device {
        let address =
            |text: &str| Address { addr: text.parse().expect("an address"), netmask: None, broadcast_addr: None, dst_addr: None };
        Device {
            name: "eth0".into(),
            desc: Some(String::new()),
            addresses: vec![address("10.0.0.11"), address("fe80::1")],
            flags: DeviceFlags { if_flags: flags, connection_status: ConnectionStatus::Unknown },
        }
    }

    #[test]
    fn every_fact_of_libpcap_is_kept() {
        for (flags, expected, row) in [
            (IfFlags::empty(), (false, false, false), "down"),
            (IfFlags::UP, (true, false, false), "up without a carrier"),
            (IfFlags::UP | IfFlags::RUNNING, (true, true, false), "running"),
            (IfFlags::UP | IfFlags::RUNNING | IfFlags::LOOPBACK, (true, true, true), "loopback"),
            (IfFlags::WIRELESS, (false, false, false), "a flag that is not told"),
        ] {
            let interface = Interface::from(device(flags));
            assert_eq!((interface.is_up, interface.is_running, interface.is_loopback), expected, "{row}");
        }
        let interface = Interface::from(device(IfFlags::UP));
        assert_eq!(interface.name, "eth0");
        assert_eq!(interface.description, None, "an empty description is none");
        assert_eq!(interface.addresses, ["10.0.0.11".parse::<IpAddr>().expect("v4"), "fe80::1".parse().expect("v6")]);
    }

    #[test]
    fn only_missing_rights_are_told_as_such() {
        for (text, refused) in [
            ("eth0: You don't have permission to capture on that device (socket: Operation not permitted)", true),
            ("can't open /dev/bpf0: Permission denied", true),
            ("getifaddrs: Cannot allocate memory", false),
        ] {
            let source = ::pcap::Error::PcapError(text.into());
            assert_eq!(is_refused(&source), refused, "{text}");
            let hint = CaptureError::Interfaces { source }.hint();
            assert_eq!(hint.contains("setcap cap_net_raw"), refused, "{text}: {hint}");
        }
    }
}
