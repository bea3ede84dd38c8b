//! Who said that packets could not be delivered, with numbers small enough to be kept with a conversation.
//!
//! Anyone can send an ICMP error. Whoever knows who the addresses are judges it by who sent it.

use std::net::IpAddr;

use crate::decode::Stations;
use crate::model::SeededMap;

/// The sender of an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refuser {
    /// Its address, as the error has it.
    pub address: IpAddr,
    /// Between which stations the error went, if that is known.
    pub stations: Option<Stations>,
}

/// Numbers for senders of errors, in the order in which they came, from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusers {
    numbers: SeededMap<Refuser, u16>,
    all: Vec<Refuser>,
}

impl Refusers {
    /// The number of this one; nothing if there were too many.
    pub(super) fn number(&mut self, refuser: Refuser) -> Option<u16> {
        if let Some(number) = self.numbers.get(&refuser) {
            return Some(*number);
        }
        let number = u16::try_from(self.all.len() + 1).ok()?;
        self.all.push(refuser);
        self.numbers.insert(refuser, number);
        Some(number)
    }

    /// All of them; the first has number 1.
    pub(super) fn all(&self) -> &[Refuser] {
        &self.all
    }
}

/// Where packets came from: what flows have the positions of, plus one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Senders<'a> {
    /// Between which stations frames went.
    pub origins: &'a [Stations],
    /// Who said that packets could not be delivered.
    pub refusers: &'a [Refuser],
}
