//! Capture files of every variant, written as their formats say.

/// A frame to be written: when (nanoseconds), how long it was, what was captured of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    pub at: i64,
    pub wire_length: u32,
    pub bytes: Vec<u8>,
}

impl Captured {
    /// Captured whole.
    pub fn whole(at: i64, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { at, wire_length: u32::try_from(bytes.len()).unwrap(), bytes }
    }

    /// Captured up to `snaplen` bytes.
    pub fn cut(at: i64, bytes: &[u8], snaplen: usize) -> Self {
        Self { bytes: bytes[..snaplen.min(bytes.len())].to_vec(), ..Self::whole(at, bytes) }
    }
}

/// The order of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, number: u16) -> [u8; 2] {
        if self == Self::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        if self == Self::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    pub fn i64(self, number: i64) -> [u8; 8] {
        if self == Self::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }
}

/// The variants of pcap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Microseconds,
    Nanoseconds,
    /// Longer record headers.
    Kuznetzov,
}

pub fn pcap_header(order: Order, variant: Variant, snaplen: u32, link: u32) -> Vec<u8> {
    let magic = match variant {
        Variant::Microseconds => 0xa1b2_c3d4,
        Variant::Nanoseconds => 0xa1b2_3c4d,
        Variant::Kuznetzov => 0xa1b2_cd34,
    };
    let mut file = order.u32(magic).to_vec();
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    file.extend([0; 8]);
    file.extend(order.u32(snaplen));
    file.extend(order.u32(link));
    file
}

pub fn pcap_record(order: Order, variant: Variant, frame: &Captured) -> Vec<u8> {
    let unit = if variant == Variant::Nanoseconds { 1 } else { 1000 };
    let mut record = order.u32(u32::try_from(frame.at / 1_000_000_000).unwrap()).to_vec();
    record.extend(order.u32(u32::try_from(frame.at % 1_000_000_000 / unit).unwrap()));
    record.extend(order.u32(u32::try_from(frame.bytes.len()).unwrap()));
    record.extend(order.u32(frame.wire_length));
    if variant == Variant::Kuznetzov {
        record.extend([7, 0, 0, 0, 8, 0, 0, 0]);
    }
    record.extend(&frame.bytes);
    record
}

/// A whole pcap file.
pub fn pcap(order: Order, variant: Variant, link: u16, frames: &[Captured]) -> Vec<u8> {
    let records = frames.iter().map(|frame| pcap_record(order, variant, frame));
    std::iter::once(pcap_header(order, variant, 262_144, link.into())).chain(records).collect::<Vec<_>>().concat()
}

/// A pcapng file, block by block.
#[derive(Clone, Debug)]
pub struct Pcapng {
    pub order: Order,
    pub bytes: Vec<u8>,
}

impl Pcapng {
    /// With a section header.
    pub fn new(order: Order) -> Self {
        Self { order, bytes: Vec::new() }.section(order)
    }

    #[must_use]
    pub fn section(mut self, order: Order) -> Self {
        self.order = order;
        let body = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &order.i64(-1)].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    /// Any block; the body is padded.
    #[must_use]
    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padded = body.len().next_multiple_of(4);
        let length = self.order.u32(u32::try_from(12 + padded).unwrap());
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(length);
        self
    }

    /// One option, padded.
    pub fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut option = [&self.order.u16(code)[..], &self.order.u16(u16::try_from(value.len()).unwrap()), value].concat();
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    #[must_use]
    pub fn interface(self, link: u16, snaplen: u32, options: &[u8]) -> Self {
        let body = [&self.order.u16(link)[..], &[0, 0], &self.order.u32(snaplen), options].concat();
        self.block(1, &body)
    }

    /// With `if_tsresol`, and the end of options.
    #[must_use]
    pub fn interface_with_resolution(self, link: u16, resolution: u8) -> Self {
        let options = [self.option(9, &[resolution]), self.option(0, &[])].concat();
        self.interface(link, 0, &options)
    }

    /// An enhanced packet block; `ticks` in the interface's unit.
    #[must_use]
    pub fn enhanced(self, interface: u32, ticks: u64, frame: &Captured) -> Self {
        let body = [&self.order.u32(interface)[..], &self.packet(ticks, frame)].concat();
        self.block(6, &body)
    }

    /// The same with options.
    #[must_use]
    pub fn enhanced_with(self, interface: u32, ticks: u64, frame: &Captured, options: &[u8]) -> Self {
        let body = [&self.order.u32(interface)[..], &self.packet(ticks, frame), options].concat();
        self.block(6, &body)
    }

    /// An obsolete packet block.
    #[must_use]
    pub fn obsolete(self, interface: u16, drops: u16, ticks: u64, frame: &Captured) -> Self {
        let body = [&self.order.u16(interface)[..], &self.order.u16(drops), &self.packet(ticks, frame)].concat();
        self.block(2, &body)
    }

    /// A simple packet block.
    #[must_use]
    pub fn simple(self, frame: &Captured) -> Self {
        let body = [&self.order.u32(frame.wire_length)[..], &frame.bytes].concat();
        self.block(3, &body)
    }

    fn packet(&self, ticks: u64, frame: &Captured) -> Vec<u8> {
        let mut packet = self.order.u32(u32::try_from(ticks >> 32).unwrap()).to_vec();
        packet.extend(self.order.u32(u32::try_from(ticks & 0xffff_ffff).unwrap()));
        packet.extend(self.order.u32(u32::try_from(frame.bytes.len()).unwrap()));
        packet.extend(self.order.u32(frame.wire_length));
        packet.extend(&frame.bytes);
        packet.resize(packet.len().next_multiple_of(4), 0);
        packet
    }
}

/// A pcapng file of one section and one interface, in nanoseconds.
pub fn pcapng(order: Order, link: u16, frames: &[Captured]) -> Vec<u8> {
    let start = Pcapng::new(order).interface_with_resolution(link, 9);
    frames.iter().fold(start, |file, frame| file.enhanced(0, frame.at.unsigned_abs(), frame)).bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
