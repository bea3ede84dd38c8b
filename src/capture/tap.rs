//! One interface, opened.

use std::thread;
use std::time::Duration;

use ::pcap::{Active, Capture, Device, Linktype, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::CaptureError;
use crate::decode::{Frame, LinkType};
use crate::model::Timestamp;

/// Bytes kept of each frame: a DNS answer in a full Ethernet frame, inside an overlay and a cooked header. Headers need less,
/// payload is not wanted.
const SNAPLEN: i32 = 1600;
/// The kernel's buffer: a tenth of a second of a fast network, in frames cut to the snaplen.
const BUFFER: i32 = 64 << 20;
/// Milliseconds for which the kernel may hold back frames to hand them on together: on Linux by TPACKET_V3 in blocks of 256 KB,
/// so whoever waits wakes once a block.
const HOLD_BACK: i32 = 50;
/// How long is slept where waiting fails.
const PAUSE: Duration = Duration::from_millis(20);
/// Frames that are handed on in one call.
const BATCH: usize = 4096;
/// Other systems' libpcap may not have nanoseconds, and does not tell.
const PRECISION: Precision = if cfg!(target_os = "linux") { Precision::Nano } else { Precision::Micro };
/// Nanoseconds in the unit of a frame's fraction of a second.
const FRACTION: i64 = if cfg!(target_os = "linux") { 1 } else { 1000 };
/// `LINKTYPE_LINUX_SLL2`: what `any` gives if it is asked, and tells the interface too.
const COOKED_2: Linktype = Linktype(276);

/// An interface that frames are taken from.
pub(super) struct Tap {
    handle: Capture<Active>,
    link: LinkType,
    /// What the kernel has counted; the counters wrap.
    dropped: [u32; 2],
}

impl Tap {
    /// Opens an interface, without waiting for frames later on.
    pub(super) fn open(name: &str, filter: &str) -> Result<Self, CaptureError> {
        let failed = |source| CaptureError::OpenInterface { name: name.to_owned(), source };
        let handle = Capture::from_device(name).map_err(failed)?;
        let handle = handle
            .snaplen(SNAPLEN)
            .buffer_size(BUFFER)
            .timeout(HOLD_BACK)
            .precision(PRECISION)
            // What a mirror port or a bridge sees is not addressed to this machine.
            .promisc(name != "any");
        let mut handle = handle.open().map_err(failed)?;
        if handle.list_datalinks().is_ok_and(|links| links.contains(&COOKED_2)) {
            handle.set_datalink(COOKED_2).map_err(failed)?;
        }
        let link = LinkType::from_number(u16::try_from(handle.get_datalink().0).unwrap_or(u16::MAX));
        let mut tap = Self { handle: handle.setnonblock().map_err(failed)?, link, dropped: [0; 2] };
        if !filter.is_empty() {
            tap.set_filter(filter)?;
        }
        Ok(tap)
    }

    /// Takes from now on what passes this filter.
    pub(super) fn set_filter(&mut self, filter: &str) -> Result<(), CaptureError> {
        let failed = |source| CaptureError::Filter { filter: filter.to_owned(), source };
        self.handle.filter(filter, true).map_err(failed)
    }

    /// Forgets the frames that have come together since it was opened, and what was dropped meanwhile.
    pub(super) fn discard(&mut self) -> Result<(), ::pcap::Error> {
        // No more than the buffer holds: on a busy interface there are always some.
        for _ in 0..=(BUFFER as usize / SNAPLEN as usize / BATCH) {
            if self.take(|_| {})? == 0 {
                break;
            }
        }
        self.dropped();
        Ok(())
    }

    /// Hands on the frames that are there, and tells how many.
    pub(super) fn take(&mut self, mut each: impl FnMut(&Frame<'_>)) -> Result<usize, ::pcap::Error> {
        let link = self.link;
        self.handle.dispatch(Some(BATCH), |packet| {
            let header = packet.header;
            // Asked for in nanoseconds, libpcap writes them where microseconds are otherwise.
            let at = Timestamp::from_seconds(header.ts.tv_sec).plus(header.ts.tv_usec * FRACTION);
            let captured = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
            each(&Frame { at, link, wire_length: header.len.max(captured), data: packet.data });
        })
    }

    /// Waits until there are frames, or an error to be taken, but no longer than that.
    pub(super) fn wait(&self, patience: Duration) {
        let mut events = [PollFd::new(&self.handle, PollFlags::IN)];
        let patience = Timespec::try_from(patience).ok();
        let is_quiet = match poll(&mut events, patience.as_ref()) {
            Ok(count) => count == 0 || events[0].revents() == PollFlags::IN,
            Err(_) => false,
        };
        // An error that stays would be told again at once.
        if !is_quiet {
            thread::sleep(PAUSE);
        }
    }

    /// Frames that came and found no room since this was asked last.
    pub(super) fn dropped(&mut self) -> u32 {
        let Ok(stat) = self.handle.stats() else { return 0 };
        let counters = [stat.dropped, stat.if_dropped];
        let [by_kernel, by_interface] = [0, 1].map(|which| counters[which].wrapping_sub(self.dropped[which]));
        self.dropped = counters;
        // An interface that is no longer there has no counters, and its part is taken back.
        by_kernel.saturating_add(if by_interface > u32::MAX / 2 { 0 } else { by_interface })
    }
}

/// The names of all interfaces there are.
pub(super) fn names() -> Result<Vec<String>, CaptureError> {
    let devices = Device::list().map_err(|source| CaptureError::Interfaces { source })?;
    Ok(devices.into_iter().map(|device| device.name).collect())
}
