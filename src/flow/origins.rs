//! Numbers for the stations between which frames went, small enough to be kept with each end of a conversation.
//!
//! Threads that fill batches number them on their own; the table gives them its own numbers in the order in which it takes frames, so
//! that threads change nothing. Number 0 stands for stations that are not known.

use crate::decode::{Frame, LinkHeader, LinkType, Stations};
use crate::model::SeededMap;

/// Of each end of a conversation, the first two origins of its packets.
pub(super) type EndOrigins = [u16; 2];

/// Adds an origin to those of an end.
#[inline]
pub(super) const fn note(origins: &mut EndOrigins, origin: u16) {
    let [first, second] = *origins;
    if origin == 0 || first == origin {
        return;
    }
    if first == 0 {
        origins[0] = origin;
    } else if second == 0 {
        origins[1] = origin;
    }
}

/// Places for headers that were asked for last: one for each [digest](LinkHeader::digest).
const PLACES: usize = 1 << u8::BITS;

#[derive(Clone, Debug)]
pub(super) struct Origins {
    numbers: SeededMap<Stations, u16>,
    all: Vec<Stations>,
    /// The numbers of headers that were asked for last, direct-mapped. The header of zeros names no station.
    recent: Box<[(LinkHeader, u16)]>,
    /// Whether there were too many.
    is_full: bool,
}

impl Default for Origins {
    fn default() -> Self {
        Self {
            numbers: SeededMap::default(),
            all: Vec::new(),
            recent: vec![(LinkHeader::default(), 0); PLACES].into(),
            is_full: false,
        }
    }
}

impl Origins {
    /// The number of the stations of a frame of this input; 0 if its link does not name them.
    #[inline]
    pub(super) fn of(&mut self, frame: &Frame<'_>, input: u32) -> u16 {
        // Where a file says more than the header does, that is not among what is remembered.
        let header = if frame.link == LinkType::Ethernet { LinkHeader::of(frame) } else { None };
        let Some(header) = header else { return self.by_stations(frame, input) };
        let place = usize::from(header.digest());
        let (known, number) = self.recent[place];
        if known == header {
            return number;
        }
        let number = self.by_stations(frame, input);
        self.recent[place] = (header, number);
        number
    }

    #[inline(never)]
    fn by_stations(&mut self, frame: &Frame<'_>, input: u32) -> u16 {
        Stations::of(frame, input).map_or(0, |stations| self.number(stations))
    }

    /// The number of these stations; 0 if there were too many different ones.
    pub(super) fn number(&mut self, stations: Stations) -> u16 {
        if let Some(number) = self.numbers.get(&stations) {
            *number
        } else if let Ok(number) = u16::try_from(self.all.len() + 1) {
            self.all.push(stations);
            self.numbers.insert(stations, number);
            number
        } else {
            self.is_full = true;
            0
        }
    }

    /// The stations with that number.
    #[inline]
    pub(super) fn stations(&self, number: u16) -> Option<Stations> {
        self.all.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// All of them; the first has number 1.
    pub(super) fn all(&self) -> &[Stations] {
        &self.all
    }

    /// Whether there were too many different ones.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        if !self.all.is_empty() {
            self.numbers.clear();
            self.all.clear();
            self.recent.fill((LinkHeader::default(), 0));
            self.is_full = false;
        }
    }
}
